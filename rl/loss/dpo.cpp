#include "rl/loss/dpo.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/sub.h>
#include <c10/util/Exception.h>

#include "rl/loss/pair_links.h"

namespace hone::rl {

DpoLoss dpo_loss(const at::Tensor& policy_a, const at::Tensor& policy_b, const at::Tensor& ref_a,
                 const at::Tensor& ref_b, const at::Tensor& p, const DpoOptions& options) {
  TORCH_CHECK(policy_a.dim() == 1, "want [B], got ", policy_a.sizes());
  TORCH_CHECK(!ref_a.requires_grad() && !ref_b.requires_grad(), "the reference is frozen");

  const auto reward_a = options.beta * (policy_a - ref_a);  // [B]
  const auto reward_b = options.beta * (policy_b - ref_b);  // [B]
  return {.per_pair = soft_link(reward_a - reward_b, p),
          .reward_a = reward_a.detach(),
          .reward_b = reward_b.detach()};
}

}  // namespace hone::rl
