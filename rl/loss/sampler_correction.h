// What makes up for a sampler and a trainer that say different things of the same tokens: weights
// of importance sampling from the one to the other. Kernels differ, and bf16 rounds.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

namespace hone::rl {

enum class SamplerCorrection {
  Off,
  /// min(exp(old - sampled), cap), a token. Yao et al. 2025, "Your efficient RL framework secretly
  /// brings you off-policy RL training"; TRL's `token_truncate`.
  TokenTruncate,
  /// exp(sum m (old - sampled)) for all tokens of the sequence, and 0 where that is above cap: such
  /// an answer is not learnt from. TRL's `sequence_mask`.
  SequenceMask,
};

/// Weights of tokens, [N], to multiply a surrogate by; undefined where the correction is off.
/// old [N]: log-probability by the trainer under the weights that sampled; sampled [N]: the
/// sampler's. mask [N], lengths [B] as policy_loss takes them. Sums of log-ratios are clamped to
/// +-20. 1 under the mask. No gradient flows.
at::Tensor sampler_weights(const at::Tensor& old, const at::Tensor& sampled, const at::Tensor& mask,
                           std::span<const std::int64_t> lengths, SamplerCorrection correction,
                           double cap);

}  // namespace hone::rl
