// What a run will need, before it starts: refused in the first second, not killed in the second
// hour.
#pragma once

#include <cstdint>
#include <string>

#include "rl/formats/config.h"
#include "rl/train/spec.h"

namespace hone::rl {

struct MemoryForecast {
  std::int64_t weights = 0, gradients = 0, optimizer = 0, activations = 0, logits = 0, fixed = 0;
  std::int64_t total() const {
    return weights + gradients + optimizer + activations + logits + fixed;
  }
  std::string table() const;
};

/// `longest_row`: trunk tokens of the longest pair; `response_tokens`: the most in one pass.
MemoryForecast forecast_memory(const ModelConfig& config, const TrainSpec& spec,
                               std::int64_t longest_row);

/// Bytes this process may still take: the machine's, or its control group's if that is less. 0:
/// unknown.
std::int64_t available_memory();

/// Throws RunFailure with the table when the forecast is over 92 % of `available`.
void check_memory(const MemoryForecast& forecast, std::int64_t available);

}  // namespace hone::rl
