#include "rl/reward/reward.h"

#include <algorithm>
#include <cmath>

#include "feedback/base/error.h"

namespace hone::rl {

std::int64_t count_unscored(std::span<const Score> scores) {
  return std::count_if(scores.begin(), scores.end(), [](const Score& s) { return !s.scored; });
}

std::vector<Score> FunctionReward::score(std::span<const Completion> completions) {
  std::vector<Score> out;
  for (const auto& completion : completions) {
    Score score{.value = 0, .scored = false};
    try {
      const double value = function_(completion);
      if (std::isfinite(value)) score = {.value = value, .scored = true};
    } catch (const Error&) {  // a pattern out of bounds, a judge that is away: this answer's alone
    }
    out.push_back(score);
  }
  return out;
}

}  // namespace hone::rl
