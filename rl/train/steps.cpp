#include "rl/train/steps.h"

#include <algorithm>

namespace hone::rl {

std::int64_t steps_of(const TrainSpec& spec, const StepRows& order) {
  const auto steps = spec.max_steps();
  return steps ? *steps : spec.epochs() * order.steps_per_epoch();
}

std::int64_t longest_tokens(const TrainSpec& spec, const Base& base) {
  return std::min(spec.max_tokens(), base.config.max_position_embeddings);
}

}  // namespace hone::rl
