#include "rl/reward/verifiers.h"

#include <cmath>

namespace hone::rl {

std::vector<Score> RegexReward::score(std::span<const Completion> completions) {
  std::vector<Score> out;
  for (const auto& completion : completions) {
    const auto outcome = pattern_.find(completion.text);
    out.push_back({.value = outcome == Regex::Outcome::Found ? 1.0 : 0.0,
                   .scored = outcome != Regex::Outcome::Failed});
  }
  return out;
}

std::vector<Score> LengthReward::score(std::span<const Completion> completions) {
  std::vector<Score> out;
  const auto target = static_cast<double>(target_);
  for (const auto& completion : completions)
    out.push_back({-std::abs(static_cast<double>(completion.ids->size()) - target) / target});
  return out;
}

}  // namespace hone::rl
