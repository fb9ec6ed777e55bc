#include "rl/loss/kto.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/where.h>
#include <c10/util/Exception.h>

#include <algorithm>

namespace hone::rl {

at::Tensor kto_loss(const at::Tensor& h, const at::Tensor& desirable, double z0,
                    const KtoOptions& options) {
  TORCH_CHECK(h.dim() == 1 && desirable.sizes() == h.sizes(), "want h and desirable [B], got ",
              h.sizes(), " and ", desirable.sizes());
  const auto good = desirable != 0;
  // 1 - sigma(x) is sigma(-x), which keeps its digits where sigma(x) is nearly 1.
  const auto reward = options.beta * (h - z0);  // [B], above z0's
  return at::where(good, options.lambda_desirable * at::sigmoid(-reward),
                   options.lambda_undesirable * at::sigmoid(reward));
}

double kto_z0(const at::Tensor& h_mismatched) {
  if (h_mismatched.numel() == 0) return 0;
  return std::max(0.0, h_mismatched.detach().to(at::kDouble).mean().item<double>());
}

at::Tensor kto_apo_zero(const at::Tensor& h, const at::Tensor& desirable,
                        const KtoOptions& options) {
  return kto_loss(h, desirable, 0, options);
}

}  // namespace hone::rl
