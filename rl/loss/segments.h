// Sequences laid end to end: what belongs to a token and what to its sequence.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

namespace hone::rl {

/// Which sequence each token belongs to, [N] int64 on `like`'s device.
/// The lengths must sum to like.size(0).
at::Tensor sequence_of_token(std::span<const std::int64_t> lengths, const at::Tensor& like);

/// Sums values [N] by sequence: [B], with gradient. A sequence without tokens gets 0.
at::Tensor sum_by_sequence(const at::Tensor& values, const at::Tensor& sequence, std::size_t count);

}  // namespace hone::rl
