#include "rl/loss/kto.h"

#include <gtest/gtest.h>

#include "tests/unit/rl/loss/support.h"

namespace hone::rl {
namespace {

using testing::gradient;
using testing::gradient_error;
using testing::list;
using testing::t;

double sigma(double x) { return 1 / (1 + std::exp(-x)); }

TEST(KtoLoss, MatchesRowsWorkedByHand) {
  // good: 1.5 * (1 - sigma(0.5 * (3 - 1))) = 1.5 * 0.268941; bad: 2 * (1 - sigma(0.5 * (1 - 3)))
  const KtoOptions options{.beta = 0.5, .lambda_desirable = 1.5, .lambda_undesirable = 2};
  const auto rows = list(kto_loss(t({3, 3}), t({1, 0}), 1, options));
  EXPECT_NEAR(rows[0], 1.5 * 0.2689414213699951, 1e-12);
  EXPECT_NEAR(rows[1], 2 * 0.7310585786300049, 1e-12);
  const auto zero = list(kto_apo_zero(t({3, 3}), t({1, 0}), options));
  EXPECT_NEAR(zero[0], 1.5 * (1 - sigma(1.5)), 1e-12);
  EXPECT_NEAR(zero[1], 2 * sigma(1.5), 1e-12);
}

TEST(KtoLoss, IsHalfTheWeightAtTheReferencePoint) {
  const auto rows = list(kto_loss(t({2, 2}), t({1, 0}), 2, {.lambda_undesirable = 1.33}));
  EXPECT_EQ(rows[0], 0.5);
  EXPECT_NEAR(rows[1], 0.665, 1e-15);
}

TEST(KtoLoss, PullsGoodRowsUpAndBadOnesDownMostNearTheReferencePoint) {
  const auto good = list(
      gradient([](const auto& h) { return kto_loss(h, h.detach() * 0 + 1, 0, {}); }, t({0, 80})));
  const auto bad =
      list(gradient([](const auto& h) { return kto_loss(h, h.detach() * 0, 0, {}); }, t({0, -80})));
  EXPECT_NEAR(good[0], -0.1 * 0.25, 1e-12);
  EXPECT_NEAR(bad[0], 0.1 * 0.25, 1e-12);
  EXPECT_LT(std::abs(good[1]), 1e-4);
  EXPECT_LT(std::abs(bad[1]), 1e-4);
}

TEST(KtoLoss, GradientMatchesDifferences) {
  const auto h = t({-7, -0.3, 0.2, 6}), labels = t({1, 0, 1, 0});
  EXPECT_LT(gradient_error([&](const auto& x) { return kto_loss(x, labels, 0.7, {}); }, h), 1e-9);
}

TEST(KtoLoss, TakesBooleansAndNumbersAlikeAndStaysFinite) {
  const auto h = t({-1e5, 1e5, -1e5, 1e5}), labels = t({1, 1, 0, 0});
  EXPECT_EQ(list(kto_loss(h, labels.to(at::kBool), 0, {})), list(kto_loss(h, labels, 0, {})));
  EXPECT_EQ(list(kto_loss(h, labels, 0, {})), (std::vector<double>{1, 0, 0, 1}));
  EXPECT_EQ(kto_loss(t({}), t({}), 0, {}).numel(), 0);
}

TEST(KtoZ0, IsTheMeanOverTheStepAndNeverNegative) {
  EXPECT_DOUBLE_EQ(kto_z0(t({1, 2, 6})), 3);
  EXPECT_EQ(kto_z0(t({1, -2, -6})), 0);
  EXPECT_EQ(kto_z0(t({})), 0);
  // Summed in f64: 2^24 + 1 is not a float.
  EXPECT_DOUBLE_EQ(kto_z0(t({16777216, 1, 1, 0}).to(at::kFloat)), 16777218.0 / 4);
}

}  // namespace
}  // namespace hone::rl
