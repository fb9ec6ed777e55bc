// Log-probabilities of all pairs under the reference model, computed once before the first step.
#pragma once

#include <cstdint>
#include <vector>

#include "rl/data/pairs.h"
#include "rl/model/model.h"
#include "rl/train/observer.h"

namespace hone::rl {

/// Summed over each response's tokens, nats, f32; in the pairs' order.
struct ReferenceLogps {
  at::Tensor chosen, rejected;  // [pairs]
};

/// Scores every pair without gradient. `model` must be the reference as it stands: the untrained
/// weights, or adapters off. Calls `each` with the pairs done; true from it stops early and returns
/// undefined tensors.
ReferenceLogps score_pairs(const Model& model, const std::vector<Pair>& pairs,
                           std::int64_t micro_batch_tokens,
                           const std::function<bool(std::int64_t done)>& each);

}  // namespace hone::rl
