// Pair links: each is one number's loss, z > 0 meaning that a is better than b. Shared by reward
// models (z = score_a - score_b) and the DPO family (z = beta * (h_a - h_b)).
#pragma once

#include <ATen/core/Tensor.h>

namespace hone::rl {

/// Pair link `soft`: -p log sigma(z) - (1-p) log sigma(-z), [B]. p = 1 is `sigmoid`.
/// z [B] carries gradient; p [B] in [0,1] is the probability that a is the better one.
at::Tensor soft_link(const at::Tensor& z, const at::Tensor& p);

}  // namespace hone::rl
