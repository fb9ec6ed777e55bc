// From losses per token to the loss of one optimizer step, whatever the split into micro-batches.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

namespace hone::rl {

/// How a step's tokens are averaged; m is the mask, n = sum of m over a sequence, N the sequences.
enum class Aggregation {
  TokenMean,            ///< sum m l / sum m
  SeqMeanTokenMean,     ///< mean over sequences of (sum m l / n)
  SeqMeanTokenSum,      ///< sum m l / N
  SeqMeanTokenSumNorm,  ///< sum m l / (N L), L a constant of the spec
  SeqMean,              ///< mean over sequences of a value that stands at each of its tokens
};

/// Counted over the whole optimizer step, all its micro-batches, before the first backward pass.
struct StepTotals {
  std::int64_t sequences = 0;    ///< N; those whose mask is empty count too
  std::int64_t tokens = 0;       ///< sum of m
  std::int64_t norm_length = 0;  ///< L, for SeqMeanTokenSumNorm: the longest response allowed

  StepTotals& operator+=(const StepTotals& other);
};

/// Sequences and counted tokens of one micro-batch; summed over the step they are its totals.
StepTotals count_totals(const at::Tensor& mask, std::span<const std::int64_t> lengths);

/// The weight of each token, [N], such that a micro-batch's share of the step's loss is
/// sum(weights * per_token): the shares of any split sum to one loss, their gradients to one
/// gradient. Names are verl's; why there is no mean of means: trl#3021, #5619.
///
/// mask     [N]  1 = counts, 0 = does not; bool or a number. Weights come in its type, f32 for bool
/// lengths  [B]  tokens of each sequence, end to end; they sum to N
/// A loss of one value a sequence or pair has lengths of 1, a mask of ones and SeqMean: 1/N each.
/// Where that value stands at each of its tokens (policy_loss of a sequence ratio), SeqMean gives
/// the sequence's tokens 1/N together, so it is SeqMeanTokenMean under the name that says why.
/// Carries no gradient.
/// Edge: a sequence whose mask is all 0 weighs nothing, though it counts in N. No tokens: [0].
at::Tensor token_weights(const at::Tensor& mask, std::span<const std::int64_t> lengths,
                         Aggregation mode, const StepTotals& totals);

}  // namespace hone::rl
