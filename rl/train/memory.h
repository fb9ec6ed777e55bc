// What a run will need, before it starts: refused in the first second, not killed in the second
// hour.
#pragma once

#include <cstdint>
#include <string>

#include "rl/engine/sampler.h"
#include "rl/formats/config.h"
#include "rl/train/spec.h"

namespace hone::rl {

struct MemoryForecast {
  /// Bytes.
  std::int64_t weights = 0, gradients = 0, optimizer = 0, activations = 0, logits = 0, fixed = 0;
  std::int64_t cache = 0;   ///< keys and values, of sampling alone
  std::int64_t others = 0;  ///< other models of the run, their optimizers and caches
  std::int64_t total() const {
    return weights + gradients + optimizer + activations + logits + fixed + cache + others;
  }
  std::string table() const;
};

/// `longest_row`: trunk tokens of the longest pair; `response_tokens`: the most in one pass.
MemoryForecast forecast_memory(const ModelConfig& config, const TrainSpec& spec,
                               std::int64_t longest_row, std::int64_t others = 0);

/// Bytes this process may still take where it computes: the CUDA device's, or the machine's, or its
/// control group's if that is less. 0: unknown.
std::int64_t available_memory();

/// At most 92 % of `available`, or nobody knows how much that is.
bool fits_memory(const MemoryForecast& forecast, std::int64_t available);

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

/// What sampling will be asked to do; the defaults are SamplerOptions'.
struct SamplingNeed {
  std::int64_t slots = sampler_slots();  ///< samples decoded together
  std::int64_t cache_bytes = sampler_cache_bytes();
  std::int64_t prefill_tokens = sampler_prefill_tokens();
  std::int64_t prompt_tokens = 1024;  ///< of the prompts alive at once, all together
  std::int64_t max_tokens = 256;
  bool bf16 = false;
};

/// As forecast_memory, for a model that is there to sample alone (Held::RoundedWhole in bf16).
MemoryForecast forecast_sampling(const ModelConfig& config, const SamplingNeed& need);

/// The sentence that says what sampling would need, what is free and the smallest change that fits:
/// fewer slots, bfloat16, fewer tokens a sample. Empty when it fits, or when `available` is 0
/// (unknown). To be asked before the weights are loaded.
std::string sampling_memory_problem(const ModelConfig& config, const SamplingNeed& need,
                                    std::int64_t available);

}  // namespace hone::rl
