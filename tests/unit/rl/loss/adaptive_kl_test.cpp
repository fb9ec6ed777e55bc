#include "rl/loss/adaptive_kl.h"

#include <gtest/gtest.h>

#include <cmath>

#include "feedback/base/error.h"

namespace hone::rl {
namespace {

TEST(AdaptedKl, MatchesRolloutWorkedByHand) {
  // 6.6 / 6 - 1 = 0.1; 500 of 10000 sequences: 0.05 * (1 + 0.1 * 0.05) = 0.05025
  EXPECT_NEAR(adapted_kl(0.05, 6.6, 500, {}), 0.05025, 1e-15);
  EXPECT_NEAR(adapted_kl(0.05, 5.4, 500, {}), 0.04975, 1e-15);
}

TEST(AdaptedKl, MovesAFifthOfItsShareAtMostAndNotAtTheTarget) {
  EXPECT_NEAR(adapted_kl(1, 1000, 5000, {}), 1.1, 1e-15);
  EXPECT_NEAR(adapted_kl(1, 0, 5000, {}), 0.9, 1e-15);
  EXPECT_NEAR(adapted_kl(1, -50, 5000, {}), 0.9, 1e-15);
  EXPECT_EQ(adapted_kl(0.3, 6, 5000, {}), 0.3);
}

TEST(AdaptedKl, LeavesTheCoefficientWhenTheKlIsNotFinite) {
  EXPECT_EQ(adapted_kl(0.3, std::nan(""), 500, {}), 0.3);
  EXPECT_EQ(adapted_kl(0.3, HUGE_VAL, 500, {}), 0.3);
}

TEST(AdaptedKl, RefusesAHorizonThatCouldTurnTheCoefficientNegative) {
  EXPECT_THROW(adapted_kl(0.3, 6, 500, {.horizon = 100}), Error);
  EXPECT_THROW(adapted_kl(0.3, 6, 500, {.target = 0}), Error);
  EXPECT_NO_THROW(adapted_kl(0.3, 6, 499, {.horizon = 100}));
}

}  // namespace
}  // namespace hone::rl
