#include "rl/eval/intervals.h"

#include <gtest/gtest.h>

#include <cmath>

namespace hone::rl {
namespace {

TEST(Wilson, MatchesTheCaseWorkedByHand) {
  // 8 of 10: z = 1.96, centre = (0.8 + 0.19207) / 1.38415 = 0.71674,
  // half = 1.96 / 1.38415 * sqrt(0.016 + 0.0096036) = 0.22657.
  const auto i = wilson(8, 10);
  EXPECT_NEAR(i.low, 0.49016, 1e-4);
  EXPECT_NEAR(i.high, 0.94333, 1e-4);
}

TEST(Wilson, KnowsNothingFromNoTrials) {
  EXPECT_EQ(wilson(0, 0).low, 0);
  EXPECT_EQ(wilson(0, 0).high, 1);
}

TEST(Bootstrap, OfAFairCoinCoversAboutTwoStandardErrors) {
  std::vector<double> coin;
  for (int i = 0; i < 100; ++i) coin.push_back(i % 2);
  const auto i = bootstrap_mean(coin, 1);  // standard error 0.05
  EXPECT_NEAR(i.low, 0.40, 0.02);
  EXPECT_NEAR(i.high, 0.60, 0.02);
}

TEST(Bootstrap, RepeatsWithItsSeedAndIsAPointForEqualValues) {
  const std::vector<double> some = {0, 1, 0.5, 1, 1, 0};
  EXPECT_EQ(bootstrap_mean(some, 4).low, bootstrap_mean(some, 4).low);
  EXPECT_EQ(bootstrap_mean({1, 1, 1}, 4).low, 1);
}

TEST(Student, QuantilesAndIntervalsAreThoseOfTables) {
  // By inverting the incomplete beta function in f64.
  EXPECT_NEAR(student_t(1), 12.706204736432095, 1e-6);
  EXPECT_NEAR(student_t(4), 2.7764451051977987, 1e-6);
  EXPECT_NEAR(student_t(16), 2.1199052992212546, 1e-6);
  EXPECT_NEAR(student_t(30), 2.0422724563012373, 1e-6);
  EXPECT_NEAR(student_t(1000), 1.9623390808264078, 1e-8);
  const auto m = student_mean({1, 2, 3, 4, 5});
  EXPECT_DOUBLE_EQ(m.mean, 3);
  EXPECT_NEAR(m.interval.high - 3, 2.7764451051977987 * std::sqrt(2.5 / 5), 1e-7);
  EXPECT_NEAR(3 - m.interval.low, m.interval.high - 3, 1e-12);
  EXPECT_EQ(student_mean({7}).interval.low, 7);
}

}  // namespace
}  // namespace hone::rl
