// What a run will need, before it starts: refused in the first second, not killed in the second
// hour.
#pragma once

#include <cstdint>
#include <string>

#include "rl/formats/config.h"
#include "rl/train/spec.h"

namespace hone::rl {

struct MemoryForecast {
  /// Bytes.
  std::int64_t weights = 0, gradients = 0, optimizer = 0, activations = 0, logits = 0, fixed = 0,
               others = 0;  ///< other models of the run, their optimizers and caches
  std::int64_t total() const {
    return weights + gradients + optimizer + activations + logits + fixed + others;
  }
  std::string table() const;
};

/// `longest_row`: trunk tokens of the longest pair; `response_tokens`: the most in one pass.
MemoryForecast forecast_memory(const ModelConfig& config, const TrainSpec& spec,
                               std::int64_t longest_row, std::int64_t others = 0);

/// Bytes this process may still take: the machine's, or its control group's if that is less. 0:
/// unknown.
std::int64_t available_memory();

/// The least change of the spec with which it takes at most 92 % of `available`, and what it then
/// needs: "hyperparameters.activation_checkpointing: true would need 2.31 GB". When no change does,
/// how large a base would.
std::string smallest_change(const ModelConfig& config, const TrainSpec& spec,
                            std::int64_t longest_row, std::int64_t available,
                            std::int64_t others = 0);

/// Throws RunFailure with table and smallest change when the run would take more than 92 % of
/// `available`. To be asked before the weights are loaded.
void check_memory(const ModelConfig& config, const TrainSpec& spec, std::int64_t longest_row,
                  std::int64_t available, std::int64_t others = 0);

}  // namespace hone::rl
