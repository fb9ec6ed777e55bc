#include "rl/reward/mixture.h"

#include <cassert>

namespace hone::rl {

std::string Mixture::name() const {
  return parts_.size() == 1 ? parts_.front().reward->name() : "mixture";
}

std::vector<Mixture::PartScores> Mixture::score_parts(std::span<const Completion> completions) {
  std::vector<PartScores> out;
  for (auto& part : parts_) {
    out.push_back({part.reward->name(), part.reward->score(completions)});
    assert(out.back().scores.size() == completions.size());
  }
  return out;
}

std::vector<Score> Mixture::sum(const std::vector<PartScores>& parts) const {
  assert(parts.size() == parts_.size());
  std::vector<Score> out(parts.front().scores.size());
  for (std::size_t p = 0; p < parts.size(); ++p)
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i].scored = out[i].scored && parts[p].scores[i].scored;
      out[i].value += parts_[p].weight * parts[p].scores[i].value;
    }
  for (auto& score : out)
    if (!score.scored) score.value = 0;
  return out;
}

}  // namespace hone::rl
