#include "rl/train/steps.h"

#include <ATen/ops/empty.h>

#include <algorithm>

namespace hone::rl {

std::int64_t steps_of(const TrainSpec& spec, const StepRows& order) {
  const auto steps = spec.max_steps();
  return steps ? *steps : spec.epochs() * order.steps_per_epoch();
}

std::int64_t longest_tokens(const TrainSpec& spec, const Base& base) {
  return std::min(spec.max_tokens(), base.config.max_position_embeddings);
}

at::Tensor pick_rows(const at::Tensor& values, const std::vector<std::int64_t>& rows) {
  if (!values.defined()) return {};
  auto out = at::empty({static_cast<std::int64_t>(rows.size())}, at::kFloat);
  for (std::size_t i = 0; i < rows.size(); ++i)
    out.data_ptr<float>()[i] = values.const_data_ptr<float>()[rows[i]];
  return out;
}

}  // namespace hone::rl
