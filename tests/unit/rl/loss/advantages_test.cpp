#include "rl/loss/advantages.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace hone::rl {
namespace {

using V = std::vector<double>;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr GroupAdvantage kModes[] = {GroupAdvantage::GroupStd, GroupAdvantage::GroupMean,
                                     GroupAdvantage::GroupLoo};

void expect_near(const V& got, const V& want, double tolerance = 1e-12) {
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], want[i], tolerance) << i;
}

TEST(GroupAdvantages, MatchGroupWorkedByHand) {
  // Rewards 1 0 0 3: mean 1, unbiased variance (0 + 1 + 1 + 4) / 3 = 2.
  const V rewards = {1, 0, 0, 3};
  const double scale = 1 / (std::sqrt(2.0) + 1e-4);
  expect_near(group_advantages(rewards, GroupAdvantage::GroupStd).values,
              {0, -scale, -scale, 2 * scale});
  expect_near(group_advantages(rewards, GroupAdvantage::GroupMean).values, {0, -1, -1, 2});
  // 1 - 3/3, 0 - 4/3, 0 - 4/3, 3 - 1/3
  expect_near(group_advantages(rewards, GroupAdvantage::GroupLoo).values,
              {0, -4.0 / 3, -4.0 / 3, 8.0 / 3});
}

TEST(GroupAdvantages, OfEightEqualRewardsAreExactlyZero) {
  // The sum of eight 1.3 divided by 8 may miss 1.3 by a last digit; comparison may not.
  for (const double reward : {1.3, 0.1, -7.7, 1e-300, 0.0, double{1.3f}})
    for (const auto mode : kModes) {
      const auto out = group_advantages(V(8, reward), mode);
      EXPECT_EQ(out.values, V(8, 0.0));
      EXPECT_TRUE(out.flat);
      EXPECT_EQ(out.unscorable, 0);
    }
}

TEST(GroupAdvantages, LeaveUnscorableResponsesOutOfTheBaseline) {
  const auto out = group_advantages(V{1, kNan, 3, HUGE_VAL}, GroupAdvantage::GroupMean);
  expect_near(out.values, {-1, 0, 1, 0});
  EXPECT_EQ(out.unscorable, 2);
  EXPECT_FALSE(out.flat);
  // Two scored: leave-one-out is R minus the other.
  expect_near(group_advantages(V{1, kNan, 3}, GroupAdvantage::GroupLoo).values, {-2, 0, 2});
}

TEST(GroupAdvantages, AreZeroWithoutTwoScoresToCompare) {
  for (const auto mode : kModes) {
    for (const V& rewards : {V{kNan, kNan, kNan}, V{5, kNan}, V{5}, V{}}) {
      const auto out = group_advantages(rewards, mode);
      EXPECT_EQ(out.values, V(rewards.size(), 0.0));
      EXPECT_TRUE(out.flat);
    }
    // Equal among those scored.
    EXPECT_EQ(group_advantages(V{1.3, kNan, 1.3, 1.3}, mode).values, V(4, 0.0));
  }
}

TEST(GroupAdvantages, SumToZero) {
  const V rewards = {0.3, -2, 5, 5, 1.25, 0, 9, -4};
  for (const auto mode : kModes) {
    double sum = 0;
    for (const double a : group_advantages(rewards, mode).values) sum += a;
    EXPECT_NEAR(sum, 0, 1e-12);
  }
}

TEST(Gae, MatchesThreeTokensWorkedByHand) {
  // gamma 0.9, lambda 0.5; r = 0 1 2, V = 1 2 3:
  // delta = 0 + 1.8 - 1 = 0.8;  1 + 2.7 - 2 = 1.7;  2 - 3 = -1
  // A2 = -1;  A1 = 1.7 + 0.45 * -1 = 1.25;  A0 = 0.8 + 0.45 * 1.25 = 1.3625
  const auto out = gae(V{0, 1, 2}, V{1, 2, 3}, {.gamma = 0.9, .lambda = 0.5});
  expect_near(out.advantages, {1.3625, 1.25, -1});
  expect_near(out.returns, {2.3625, 3.25, 2});
}

TEST(Gae, WithLambdaOneIsWhatIsStillToComeMinusTheValue) {
  const auto out = gae(V{1, 2, 4}, V{5, -1, 0.5}, {.gamma = 1, .lambda = 1});
  expect_near(out.returns, {7, 6, 4});
  expect_near(out.advantages, {2, 7, 3.5});
}

TEST(Gae, WithLambdaZeroIsTheOneStepError) {
  expect_near(gae(V{1, 2}, V{5, 3}, {.gamma = 0.5, .lambda = 0}).advantages, {-2.5, -1});
}

TEST(Gae, CarriesValueAndSumAcrossAToolsOutput) {
  // What the tool wrote in between changes nothing for the policy's own tokens.
  const auto with = gae(V{0, 9, 9, 1, 2}, V{1, 70, -70, 2, 3}, {.gamma = 0.9, .lambda = 0.5},
                        std::vector<std::uint8_t>{1, 0, 0, 1, 1});
  const auto without = gae(V{0, 1, 2}, V{1, 2, 3}, {.gamma = 0.9, .lambda = 0.5});
  expect_near({with.advantages[0], with.advantages[3], with.advantages[4]}, without.advantages);
  EXPECT_EQ(with.advantages[1], 0);
  EXPECT_EQ(with.returns[2], -70);
}

TEST(Gae, OfAnEmptyResponseIsEmpty) { EXPECT_TRUE(gae(V{}, V{}).advantages.empty()); }

TEST(Whiten, MatchesRolloutWorkedByHand) {
  // 1 2 6: mean 3, unbiased variance (4 + 1 + 9) / 2 = 7.
  const double scale = 1 / std::sqrt(7 + 1e-8);
  expect_near(whiten(V{1, 2, 6}), {-2 * scale, -scale, 3 * scale});
}

TEST(Whiten, DoesNotSeeTokensUnderTheMask) {
  const auto out = whiten(V{1, 1e6, 2, kNan, 6}, std::vector<std::uint8_t>{1, 0, 1, 0, 1});
  const auto alone = whiten(V{1, 2, 6});
  expect_near(out, {alone[0], 0, alone[1], 0, alone[2]});
}

TEST(Whiten, OfEqualAdvantagesIsExactlyZero) {
  EXPECT_EQ(whiten(V(7, 1.3)), V(7, 0.0));
  EXPECT_EQ(whiten(V{4}), V{0});
  EXPECT_TRUE(whiten(V{}).empty());
}

}  // namespace
}  // namespace hone::rl
