#include "rl/loss/pair_links.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/log_sigmoid.h>

namespace hone::rl {

at::Tensor soft_link(const at::Tensor& z, const at::Tensor& p) {
  // log_sigmoid is -log1p(e^-z) in its stable form on both sides; softplus switches to the identity
  // above 20 and drops 2e-9 there.
  return -(p * at::log_sigmoid(z) + (1 - p) * at::log_sigmoid(-z));
}

}  // namespace hone::rl
