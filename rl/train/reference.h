// Log-probabilities of all pairs under the reference model, computed once before the first step.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "rl/data/pairs.h"
#include "rl/formats/safetensors.h"
#include "rl/model/model.h"
#include "rl/train/observer.h"
#include "rl/train/spec.h"

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

/// Train and held-out pairs under the reference.
struct References {
  ReferenceLogps train, held_out;
  NamedTensors tensors() const;
};

/// Those of a checkpoint; or those that an attempt left in `out` before its first checkpoint, under
/// a key of all that they depend on. nullopt: neither is there.
std::optional<References> kept_references(const TrainSpec& spec, const std::string& base_sha256,
                                          const PairData& data, const SafetensorsFile* checkpoint);

/// Computes them, adapters off, and keeps them in `out`. nullopt: told to stop.
std::optional<References> compute_references(Model& model, const TrainSpec& spec,
                                             const std::string& base_sha256, const PairData& data,
                                             Observer& observer);

}  // namespace hone::rl
