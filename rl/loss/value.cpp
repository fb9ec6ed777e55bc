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
  const auto off = (values - returns).square();
  if (clip == 0)
    return {.per_token = at::where(counts, 0.5 * off, at::zeros_like(off)),
            .clipped = at::zeros_like(counts)};
  const auto held = at::clamp(values, old_values - clip, old_values + clip);
  const auto held_off = (held - returns).square();
  return {.per_token = at::where(counts, 0.5 * at::maximum(off, held_off), at::zeros_like(off)),
          .clipped = (held_off > off) & counts};
}

}  // namespace hone::rl
