#include "rl/loss/value.h"

#include <gtest/gtest.h>

#include "tests/unit/rl/loss/support.h"

namespace hone::rl {
namespace {

using testing::gradient;
using testing::gradient_error;
using testing::list;
using testing::t;

using V = std::vector<double>;

TEST(ValueLoss, MatchesTokensWorkedByHand) {
  // Old values 0, clip 0.2, G = 1:
  //   V 0.1  inside: 1/2 0.9^2 = 0.405
  //   V 0.8  ran towards G: clamped 0.2, max(0.04, 0.64)/2 = 0.32, no gradient
  //   V -0.8 ran away: clamped -0.2, max(3.24, 1.44)/2 = 1.62, gradient V - G = -1.8
  const auto values = t({0.1, 0.8, -0.8}), old = t({0, 0, 0}), returns = t({1, 1, 1});
  const auto mask = t({1, 1, 1});
  const auto loss = [&](const at::Tensor& v) { return value_loss(v, old, returns, mask, 0.2); };
  const auto out = loss(values);
  const V want = {0.405, 0.32, 1.62}, slopes = {-0.9, 0, -1.8};
  const auto slope = list(gradient([&](const auto& v) { return loss(v).per_token; }, values));
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(list(out.per_token)[i], want[i], 1e-12);
    EXPECT_NEAR(slope[i], slopes[i], 1e-12);
  }
  EXPECT_EQ(list(out.clipped), (V{0, 1, 0}));
}

TEST(ValueLoss, ClipsNothingWhereTheValuesAreThoseOfTheRollout) {
  const auto values = t({0.3, -7.25, 1e4}).to(at::kFloat), returns = t({1, 2, 3}).to(at::kFloat);
  const auto out = value_loss(values, values, returns, values * 0 + 1);
  EXPECT_EQ(list(out.clipped), (V{0, 0, 0}));
  EXPECT_EQ(list(out.per_token), list(0.5 * (values - returns).square()));
}

TEST(ValueLoss, WithoutAClipIsHalfTheSquare) {
  EXPECT_EQ(list(value_loss(t({5}), t({0}), t({1}), t({1}), 0).per_token), V{8});
}

TEST(ValueLoss, SeesNothingUnderTheMask) {
  const auto loss = [](const at::Tensor& v) {
    return value_loss(v, t({0, NAN}), t({1, NAN}), t({1, 0})).per_token;
  };
  EXPECT_EQ(list(loss(t({0.1, 3})))[1], 0);
  EXPECT_EQ(list(gradient(loss, t({0.1, 3})))[1], 0);
}

TEST(ValueLoss, GradientMatchesDifferences) {
  const auto old = t({0, 1, -1, 2}), returns = t({0.5, 3, -4, 2.1}), mask = t({1, 1, 1, 1});
  EXPECT_LT(
      gradient_error([&](const auto& v) { return value_loss(v, old, returns, mask).per_token; },
                     t({0.1, 1.7, -0.7, 1.5})),
      1e-8);
}

TEST(ValueLoss, OfNoTokensIsEmpty) {
  EXPECT_EQ(value_loss(t({}), t({}), t({}), t({})).per_token.numel(), 0);
}

}  // namespace
}  // namespace hone::rl
