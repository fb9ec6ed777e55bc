#include "rl/loss/value.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>
#include <c10/util/Exception.h>

namespace hone::rl {

ValueLoss value_loss(const at::Tensor& values, const at::Tensor& old_values,
                     const at::Tensor& returns, const at::Tensor& mask, double clip) {
  TORCH_CHECK(values.dim() == 1 && old_values.sizes() == values.sizes() &&
                  returns.sizes() == values.sizes() && mask.sizes() == values.sizes(),
              "want values, old values, returns and mask [N]");
  TORCH_CHECK(!old_values.requires_grad() && !returns.requires_grad(),
              "gradient flows into values only");
  const auto counts = mask != 0;  // [N]
  // Under the mask all three are 0, so that no NaN there comes back as a gradient.
  const auto none = at::zeros_like(values).detach();
  const auto seen = at::where(counts, values, none), goal = at::where(counts, returns, none);
  const auto off = (seen - goal).square();
  if (clip == 0) return {.per_token = 0.5 * off, .clipped = at::zeros_like(counts)};

  const auto old = at::where(counts, old_values, none);
  const auto held_off = (at::clamp(seen, old - clip, old + clip) - goal).square();
  return {.per_token = 0.5 * at::maximum(off, held_off), .clipped = held_off > off};
}

}  // namespace hone::rl
