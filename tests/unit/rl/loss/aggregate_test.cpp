#include "rl/loss/aggregate.h"

#include <ATen/ops/cat.h>
#include <gtest/gtest.h>

#include "tests/unit/rl/loss/support.h"

namespace hone::rl {
namespace {

using testing::list;
using testing::t;

using Lengths = std::vector<std::int64_t>;

constexpr Aggregation kModes[] = {Aggregation::TokenMean, Aggregation::SeqMeanTokenMean,
                                  Aggregation::SeqMeanTokenSum, Aggregation::SeqMeanTokenSumNorm,
                                  Aggregation::SeqMean};

TEST(TokenWeights, MatchStepWorkedByHand) {
  // Two sequences of 2 and 3 tokens, the second's middle one masked: 4 tokens count; L = 10.
  const auto mask = t({1, 1, 1, 0, 1});
  const Lengths lengths = {2, 3};
  const StepTotals totals{.sequences = 2, .tokens = 4, .norm_length = 10};
  const auto weights = [&](Aggregation mode) {
    return list(token_weights(mask, lengths, mode, totals));
  };
  using V = std::vector<double>;
  EXPECT_EQ(weights(Aggregation::TokenMean), (V{0.25, 0.25, 0.25, 0, 0.25}));
  EXPECT_EQ(weights(Aggregation::SeqMeanTokenMean), (V{0.25, 0.25, 0.25, 0, 0.25}));
  EXPECT_EQ(weights(Aggregation::SeqMeanTokenSum), (V{0.5, 0.5, 0.5, 0, 0.5}));
  EXPECT_EQ(weights(Aggregation::SeqMeanTokenSumNorm), (V{0.05, 0.05, 0.05, 0, 0.05}));
}

TEST(TokenWeights, TellMeansOfTokensFromMeansOfSequences) {
  // One token against three: a quarter each, or a half and three sixths.
  const StepTotals totals{.sequences = 2, .tokens = 4};
  const auto by_token =
      list(token_weights(t({1, 1, 1, 1}), Lengths{1, 3}, Aggregation::TokenMean, totals));
  const auto by_sequence =
      list(token_weights(t({1, 1, 1, 1}), Lengths{1, 3}, Aggregation::SeqMeanTokenMean, totals));
  EXPECT_DOUBLE_EQ(by_token[0], 0.25);
  EXPECT_DOUBLE_EQ(by_sequence[0], 0.5);
  EXPECT_DOUBLE_EQ(by_sequence[1], 1.0 / 6);
}

TEST(TokenWeights, AnySplitOfTheStepGivesTheSameWeights) {
  // 12 sequences of uneven length, every third token masked, cut after 1, 5 and 6 sequences.
  const Lengths lengths = {5, 1, 7, 2, 9, 3, 4, 8, 1, 6, 2, 5};
  std::vector<double> bits;
  for (int i = 0; i < 53; ++i) bits.push_back(i % 3 == 1 ? 0 : 1);
  const auto mask = t(bits);
  auto totals = count_totals(mask, lengths);
  EXPECT_EQ(totals.sequences, 12);
  EXPECT_EQ(totals.tokens, 35);
  totals.norm_length = 9;

  for (const auto mode : kModes) {
    std::vector<at::Tensor> parts;
    StepTotals summed{.norm_length = 9};
    std::int64_t row = 0, from = 0;
    for (const std::size_t upto : {1, 5, 6, 12}) {
      const Lengths some(lengths.begin() + row, lengths.begin() + static_cast<std::int64_t>(upto));
      std::int64_t tokens = 0;
      for (const auto n : some) tokens += n;
      const auto piece = mask.slice(0, from, from + tokens);
      parts.push_back(token_weights(piece, some, mode, totals));
      summed += count_totals(piece, some);
      row = static_cast<std::int64_t>(upto), from += tokens;
    }
    EXPECT_EQ(list(at::cat(parts)), list(token_weights(mask, lengths, mode, totals)));
    EXPECT_EQ(summed.tokens, totals.tokens);
    EXPECT_EQ(summed.sequences, totals.sequences);
  }
}

TEST(TokenWeights, OfOneValueASequenceIsOneOverTheSequences) {
  const StepTotals totals{.sequences = 8, .tokens = 8};
  const auto pairs = list(token_weights(t({1, 1}), Lengths{1, 1}, Aggregation::SeqMean, totals));
  EXPECT_EQ(pairs, (std::vector<double>{0.125, 0.125}));
}

TEST(TokenWeights, ASequenceUnderTheMaskWeighsNothing) {
  const StepTotals totals{.sequences = 2, .tokens = 1, .norm_length = 4};
  for (const auto mode : kModes) {
    const auto w = list(token_weights(t({0, 0, 1}), Lengths{2, 1}, mode, totals));
    EXPECT_EQ(w[0], 0);
    EXPECT_EQ(w[1], 0);
    EXPECT_GT(w[2], 0);
  }
}

TEST(TokenWeights, OfNothingAreEmptyAndOfAMaskedStepZero) {
  for (const auto mode : kModes) {
    EXPECT_EQ(token_weights(t({}), {}, mode, {.norm_length = 4}).numel(), 0);
    EXPECT_EQ(list(token_weights(t({0, 0}), Lengths{2}, mode, {.sequences = 1, .norm_length = 4})),
              (std::vector<double>{0, 0}));
  }
}

TEST(TokenWeights, TakeBooleansAndKeepTheTypeOfNumbers) {
  const StepTotals totals{.sequences = 1, .tokens = 2};
  const auto of = [&](at::ScalarType type) {
    return token_weights(t({1, 1}).to(type), Lengths{2}, Aggregation::TokenMean, totals)
        .scalar_type();
  };
  EXPECT_EQ(of(at::kBool), at::kFloat);
  EXPECT_EQ(of(at::kFloat), at::kFloat);
  EXPECT_EQ(of(at::kDouble), at::kDouble);
}

TEST(TokenWeights, RefuseTotalsThatAreNotTheSteps) {
  EXPECT_ANY_THROW(
      token_weights(t({1, 1}), Lengths{2}, Aggregation::TokenMean, {.sequences = 1, .tokens = 1}));
  EXPECT_ANY_THROW(token_weights(t({1, 1}), Lengths{1, 1}, Aggregation::TokenMean,
                                 {.sequences = 1, .tokens = 2}));
  EXPECT_ANY_THROW(
      token_weights(t({1, 1}), Lengths{3}, Aggregation::TokenMean, {.sequences = 1, .tokens = 2}));
  EXPECT_ANY_THROW(token_weights(t({1}), Lengths{1}, Aggregation::SeqMeanTokenSumNorm,
                                 {.sequences = 1, .tokens = 1}));
}

}  // namespace
}  // namespace hone::rl
