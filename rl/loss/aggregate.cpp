#include "rl/loss/aggregate.h"

#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <algorithm>

#include "rl/loss/segments.h"

namespace hone::rl {

StepTotals& StepTotals::operator+=(const StepTotals& other) {
  sequences += other.sequences;
  tokens += other.tokens;
  norm_length = std::max(norm_length, other.norm_length);
  return *this;
}

StepTotals count_totals(const at::Tensor& mask, std::span<const std::int64_t> lengths) {
  return {.sequences = static_cast<std::int64_t>(lengths.size()),
          .tokens = (mask != 0).sum().item<std::int64_t>()};
}

at::Tensor token_weights(const at::Tensor& mask, std::span<const std::int64_t> lengths,
                         Aggregation mode, const StepTotals& totals) {
  const auto here = count_totals(mask, lengths);
  TORCH_CHECK(here.sequences <= totals.sequences && here.tokens <= totals.tokens,
              "totals are of the whole step, and this micro-batch alone has more");
  const auto sequence = sequence_of_token(lengths, mask);  // [N]
  const auto m =
      (mask != 0).to(at::isFloatingType(mask.scalar_type()) ? mask.scalar_type() : at::kFloat);
  const auto sequences = static_cast<double>(std::max<std::int64_t>(totals.sequences, 1));

  switch (mode) {
    case Aggregation::TokenMean:
      return m / static_cast<double>(std::max<std::int64_t>(totals.tokens, 1));
    case Aggregation::SeqMean:
    case Aggregation::SeqMeanTokenMean: {
      const auto n = sum_by_sequence(m, sequence, lengths.size()).clamp_min(1);  // [B]
      return m / (n.index_select(0, sequence) * sequences);
    }
    case Aggregation::SeqMeanTokenSum:
      return m / sequences;
    case Aggregation::SeqMeanTokenSumNorm:
      TORCH_CHECK(totals.norm_length > 0, "the norm length is a constant of the spec, not 0");
      return m / (sequences * static_cast<double>(totals.norm_length));
  }
  TORCH_CHECK(false, "not a way to aggregate: ", static_cast<int>(mode));
}

}  // namespace hone::rl
