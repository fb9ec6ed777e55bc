#include "rl/loss/sampler_correction.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>

#include "rl/loss/segments.h"

namespace hone::rl {

at::Tensor sampler_weights(const at::Tensor& old, const at::Tensor& sampled, const at::Tensor& mask,
                           std::span<const std::int64_t> lengths, SamplerCorrection correction,
                           double cap) {
  if (correction == SamplerCorrection::Off) return {};
  constexpr double kExponentMax = 20;
  const auto counts = mask != 0, none = at::zeros_like(old).detach();
  const auto apart = at::where(counts, old.detach() - sampled, none);
  if (correction == SamplerCorrection::TokenTruncate)
    return apart.clamp(-kExponentMax, kExponentMax).exp().clamp_max(cap);
  const auto sequence = sequence_of_token(lengths, old);
  const auto weight = sum_by_sequence(apart, sequence, lengths.size())
                          .clamp(-kExponentMax, kExponentMax)
                          .exp();  // [B]
  const auto of_token =
      at::where(weight > cap, at::zeros_like(weight), weight).index_select(0, sequence);
  return at::where(counts, of_token, none + 1);
}

}  // namespace hone::rl
