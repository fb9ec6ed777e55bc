// Agreement against published values, aggregation against sums worked by hand.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "feedback/statistics/aggregation.h"
#include "feedback/statistics/agreement.h"

namespace hone::feedback {
namespace {

/// Krippendorff's own example: 15 items, three judges, gaps left out (0 = no answer).
std::vector<Unit> fifteen_items() {
  const int a[] = {0, 0, 0, 0, 0, 3, 4, 1, 2, 1, 1, 3, 3, 0, 3};
  const int b[] = {1, 0, 2, 1, 3, 3, 4, 3, 0, 0, 0, 0, 0, 0, 0};
  const int c[] = {0, 0, 2, 1, 3, 4, 4, 0, 2, 1, 1, 3, 3, 0, 4};
  std::vector<Unit> units(15);
  for (std::size_t i = 0; i < 15; ++i)
    for (const int* judge : {a, b, c})
      if (judge[i]) units[i].push_back(judge[i]);
  return units;
}

TEST(KrippendorffAlpha, EqualsThePublishedExample) {
  EXPECT_NEAR(*krippendorff_alpha(fifteen_items(), Scale::Nominal).alpha, 0.691358, 1e-6);
  EXPECT_NEAR(*krippendorff_alpha(fifteen_items(), Scale::Ordinal).alpha, 0.806721, 1e-6);
  EXPECT_NEAR(*krippendorff_alpha(fifteen_items(), Scale::Interval).alpha, 0.810845, 1e-6);
}

TEST(KrippendorffAlpha, LeavesOutItemsWithOneAnswer) {
  auto units = fifteen_items();
  const auto before = krippendorff_alpha(units, Scale::Nominal);
  EXPECT_EQ(before.items, 12);
  EXPECT_EQ(before.answers, 26);
  units.push_back({4});
  EXPECT_EQ(krippendorff_alpha(units, Scale::Nominal).alpha, before.alpha);
}

TEST(KrippendorffAlpha, IsUndefinedWhenAllAnswersAreEqual) {
  EXPECT_EQ(krippendorff_alpha({{1, 1}, {1, 1, 1}}, Scale::Nominal).alpha, std::nullopt);
  EXPECT_EQ(krippendorff_alpha({}, Scale::Nominal).alpha, std::nullopt);
  EXPECT_EQ(krippendorff_alpha({{1}, {2}}, Scale::Nominal).alpha, std::nullopt);
}

TEST(KrippendorffAlpha, HasAnIntervalAroundIt) {
  std::mt19937_64 bits(7);
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(bits() % n); };
  const auto interval = alpha_interval(fifteen_items(), Scale::Nominal, 500, below);
  ASSERT_TRUE(interval);
  EXPECT_LT(interval->low, 0.691358);
  EXPECT_GT(interval->high, 0.691358);
  EXPECT_LE(interval->high, 1);
  EXPECT_EQ(alpha_interval({{1, 1}, {1, 1}}, Scale::Nominal, 100, below), std::nullopt);
}

// [[20,5],[10,15]]: p_o 0.7; kappa p_e = 0.5*0.6 + 0.5*0.4 = 0.5; AC1 pi = 0.55, p_e = 0.495.
TEST(Kappa, EqualsTheValuesWorkedByHand) {
  EXPECT_NEAR(*cohen_kappa({{20, 5}, {10, 15}}), 0.4, 1e-12);
  EXPECT_NEAR(*gwet_ac1({{20, 5}, {10, 15}}), 0.405941, 1e-6);
  EXPECT_NEAR(*cohen_kappa({{90, 5}, {5, 0}}), -0.0526, 1e-4);  // 90 % agree
  EXPECT_NEAR(*gwet_ac1({{90, 5}, {5, 0}}), 0.8895, 1e-4);
  EXPECT_EQ(cohen_kappa({{5, 0}, {0, 0}}), std::nullopt);
}

bool nearly(double a, double b) { return std::abs(a - b) < 1e-9; }

// One vote each, nothing to learn a rate from: the prior's 0.1 stays, p = 0.9.
TEST(OneCoin, KeepsThePriorWithoutOverlap) {
  const auto fitted =
      fit_one_coin({{0, 0, Vote::First}, {1, 0, Vote::Second}}, {true, true}, {false});
  EXPECT_TRUE(nearly(fitted.p[0], 0.9));
  EXPECT_TRUE(nearly(fitted.p[1], 0.1));
  EXPECT_TRUE(nearly(fitted.flip[0], 0.1));
}

// Rates fixed at 0.1: odds 9 * 9 = 81, p = 81/82. Two critics agreeing weigh as one: 9, p = 0.9.
TEST(OneCoin, MultipliesPeopleAndAveragesCritics) {
  const std::vector<Ballot> both{{0, 0, Vote::First}, {0, 1, Vote::First}};
  EXPECT_TRUE(nearly(fit_one_coin(both, {true}, {false, false}, {.rounds = 0}).p[0], 81.0 / 82));
  EXPECT_TRUE(nearly(fit_one_coin(both, {true}, {true, true}, {.rounds = 0}).p[0], 0.9));
}

TEST(OneCoin, GivesExactlyAHalfWhenNothingSpeaksForEither) {
  const auto fitted =
      fit_one_coin({{0, 0, Vote::Neither}, {2, 0, Vote::First}, {2, 1, Vote::Second}},
                   {true, true, true}, {false, false});
  EXPECT_EQ(fitted.p[0], 0.5);
  EXPECT_EQ(fitted.p[1], 0.5);  // nobody judged it
  EXPECT_EQ(fitted.p[2], 0.5);
}

TEST(OneCoin, IsSymmetricInTheSlots) {
  std::vector<Ballot> ballots, mirrored;
  std::mt19937_64 bits(3);
  for (std::size_t i = 0; i < 40; ++i)
    for (std::size_t w = 0; w < 3; ++w) {
      const bool first = bits() % 3 != 0;
      ballots.push_back({i, w, first ? Vote::First : Vote::Second});
      mirrored.push_back({i, w, first ? Vote::Second : Vote::First});
    }
  const std::vector<bool> all(40, true), people(3, false);
  const auto a = fit_one_coin(ballots, all, people), b = fit_one_coin(mirrored, all, people);
  for (std::size_t i = 0; i < 40; ++i) EXPECT_NEAR(a.p[i], 1 - b.p[i], 1e-12);
  for (std::size_t w = 0; w < 3; ++w) EXPECT_NEAR(a.flip[w], b.flip[w], 1e-12);
}

TEST(OneCoin, FindsTheCarelessJudge) {
  const double true_flip[] = {0.05, 0.1, 0.4};
  std::mt19937_64 bits(11);
  std::uniform_real_distribution<double> unit(0, 1);
  std::vector<Ballot> ballots;
  for (std::size_t i = 0; i < 2000; ++i)
    for (std::size_t w = 0; w < 3; ++w)
      ballots.push_back(
          {i, w, (i % 2 == 0) != (unit(bits) < true_flip[w]) ? Vote::First : Vote::Second});
  const auto fitted = fit_one_coin(ballots, std::vector<bool>(2000, true), {false, false, false});
  for (std::size_t w = 0; w < 3; ++w) EXPECT_NEAR(fitted.flip[w], true_flip[w], 0.04) << w;
}

// Judge 1 contradicts two others on held-out comparisons only: their rates must not show it.
TEST(OneCoin, FitsRatesOnTheTrainingSplitAlone) {
  std::vector<Ballot> ballots;
  std::vector<bool> fit;
  for (std::size_t i = 0; i < 100; ++i) {
    const bool train = i < 50;
    fit.push_back(train);
    ballots.push_back({i, 0, Vote::First});
    ballots.push_back({i, 1, train ? Vote::First : Vote::Second});
    ballots.push_back({i, 2, Vote::First});
  }
  const auto fitted = fit_one_coin(ballots, fit, {false, false, false});
  EXPECT_NEAR(fitted.flip[1], fitted.flip[0], 1e-12);
}

}  // namespace
}  // namespace hone::feedback
