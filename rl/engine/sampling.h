// From one row of logits to one token.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace hone::rl {

struct SamplingOptions {
  std::int64_t max_tokens = 256;
  double temperature = 1;  ///< 0: the likeliest token, always
  double top_p = 1;        ///< keep the likeliest tokens that together reach this; 1: all
  std::int64_t top_k = 0;  ///< keep this many; 0: all
};

/// Throws Invalid naming the option and its bounds.
void check_sampling(const SamplingOptions& options);

struct Choice {
  std::int64_t id = 0;
  /// Of logits / temperature before any truncation (temperature 1 when greedy): what the policy
  /// says, and what a ratio of policies divides by.
  float logprob = 0;
};

/// Draws a token by `uniform` in [0, 1). Ties go to the lower id. `scratch` is reused between
/// calls. Throws Error when the logits are not finite.
Choice choose_token(const float* logits, std::int64_t count, const SamplingOptions& options,
                    double uniform, std::vector<float>& scratch);

}  // namespace hone::rl
