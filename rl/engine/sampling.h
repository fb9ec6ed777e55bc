// From one row of logits to one token.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

namespace hone::rl {

struct SamplingOptions {
  std::int64_t max_tokens = 256;
  double temperature = 1;  ///< 0: the likeliest token, always
  double top_p = 1;        ///< keep the likeliest tokens that together reach this; 1: all
  std::int64_t top_k = 0;  ///< keep this many; 0: all
  /// Keep tokens at least this share as likely as the likeliest (arXiv:2407.01082); 0: all.
  double min_p = 0;
  /// Logits of tokens that are in the prompt or the sample already are divided by it where positive
  /// and multiplied where negative (Keskar et al. 2019, arXiv:1909.05858); 1: off.
  double repetition_penalty = 1;
};

/// Throws Invalid naming the option and its bounds.
void check_sampling(const SamplingOptions& options);

struct Choice {
  std::int64_t id = 0;
  /// Of logits / temperature before any penalty or truncation (temperature 1 when greedy): what the
  /// policy says, and what a ratio of policies divides by.
  float logprob = 0;
};

/// Draws a token by `uniform` in [0, 1): penalty, temperature, then top-k, top-p and min-p. Ties go
/// to the lower id. `seen` are the tokens so far, each any number of times, and matter to the
/// penalty alone. `scratch` is reused between calls. Throws Error when the logits are not finite.
Choice choose_token(const float* logits, std::int64_t count, const SamplingOptions& options,
                    double uniform, std::vector<float>& scratch,
                    std::initializer_list<std::span<const std::int64_t>> seen = {});

}  // namespace hone::rl
