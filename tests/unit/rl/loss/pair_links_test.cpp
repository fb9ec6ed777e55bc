#include "rl/loss/pair_links.h"

#include <gtest/gtest.h>

#include "tests/unit/rl/loss/support.h"

namespace hone::rl {
namespace {

using testing::gradient;
using testing::gradient_error;
using testing::list;
using testing::t;

double sigma(double x) { return 1 / (1 + std::exp(-x)); }

/// The z at which f is least, by ternary search: f is convex or has one valley.
double valley(const std::function<double(double)>& f) {
  double low = -9, high = 9;
  for (int i = 0; i < 200; ++i) {
    const double a = low + (high - low) / 3, b = high - (high - low) / 3;
    (f(a) < f(b) ? high : low) = f(a) < f(b) ? b : a;
  }
  return (low + high) / 2;
}

TEST(PairLinks, MatchValuesWorkedByHand) {
  // log sigma(1) = -0.3132616875, log sigma(-1) = -1.3132616875; sigma(1) = 0.7310585786.
  const auto z = t({1});
  EXPECT_NEAR(sigmoid_link(z).item<double>(), 0.3132616875182228, 1e-12);
  // 0.75 * 0.31326 + 0.25 * 1.31326
  EXPECT_NEAR(soft_link(z, t({0.75})).item<double>(), 0.5632616875182228, 1e-12);
  // (0.8 * 0.31326 - 0.2 * 1.31326) / 0.6
  EXPECT_NEAR(debiased_link(z, t({0.2})).item<double>(), -0.0200716458151105, 1e-12);
  // -log(0.2 + 0.6 * 0.7310585786) = -log(0.6386351472)
  EXPECT_NEAR(flip_link(z, t({0.2})).item<double>(), -std::log(0.2 + 0.6 * sigma(1)), 1e-12);
  // -log sigma(1 - 2)
  EXPECT_NEAR(margin_link(z, t({2})).item<double>(), 1.3132616875182228, 1e-12);
  EXPECT_EQ(list(hinge_link(t({-1, 0.25, 3}))), (std::vector<double>{2, 0.75, 0}));
}

TEST(PairLinks, TrueEightyPercentUnderAFifthOfFlipsIsFoundByTheLinksThatKnowOfThem) {
  // The data show 0.8 * 0.8 + 0.2 * 0.2 = 0.68 for a. Least expected loss over z:
  // sigmoid learns 0.68; cDPO with eps 0.2 smooths again, 0.68 * 0.8 + 0.32 * 0.2 = 0.608;
  // debiased and flip find the 0.80 behind the labels.
  const auto learned = [](const std::function<at::Tensor(const at::Tensor&)>& when_a_is_preferred) {
    return sigma(valley([&](double z) {
      return 0.68 * when_a_is_preferred(t({z})).item<double>() +
             0.32 * when_a_is_preferred(t({-z})).item<double>();
    }));
  };
  EXPECT_NEAR(learned(sigmoid_link), 0.68, 1e-6);
  EXPECT_NEAR(learned([](const auto& z) { return soft_link(z, t({0.8})); }), 0.608, 1e-6);
  EXPECT_NEAR(learned([](const auto& z) { return debiased_link(z, t({0.2})); }), 0.8, 1e-6);
  EXPECT_NEAR(learned([](const auto& z) { return flip_link(z, t({0.2})); }), 0.8, 1e-6);
}

TEST(PairLinks, AreSigmoidWhereTheirParameterSaysNothing) {
  const auto z = t({-700, -3, 0, 0.5, 12, 700}), zero = z * 0;
  const auto plain = list(sigmoid_link(z));
  for (const auto& link :
       {soft_link(z, zero + 1), debiased_link(z, zero), flip_link(z, zero), margin_link(z, zero)}) {
    const auto values = list(link);
    for (std::size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(values[i], plain[i], 1e-12);
  }
  const auto flip = [&](const at::Tensor& x) { return flip_link(x, x.detach() * 0); };
  const auto ours = list(gradient(flip, z)), theirs = list(gradient(sigmoid_link, z));
  for (std::size_t i = 0; i < ours.size(); ++i) EXPECT_NEAR(ours[i], theirs[i], 1e-12);
}

TEST(PairLinks, ASoftTieIsLeastAtZeroAndReadsBothOrders) {
  EXPECT_NEAR(valley([](double z) { return soft_link(t({z}), t({0.5})).item<double>(); }), 0, 1e-6);
  // p = 0.1 for a is p = 0.9 for b.
  EXPECT_NEAR(soft_link(t({2}), t({0.1})).item<double>(),
              soft_link(t({-2}), t({0.9})).item<double>(), 1e-15);
}

TEST(PairLinks, DebiasedStopsItsGradientBeyondTenAndKeepsItsValue) {
  const auto debiased = [](const at::Tensor& z) { return debiased_link(z, z.detach() * 0 + 0.2); };
  // (-0.8 log sigma(50) + 0.2 log sigma(-50)) / 0.6 = -50 / 3
  EXPECT_NEAR(debiased(t({50})).item<double>(), -50.0 / 3, 1e-9);
  const auto slope = list(gradient(debiased, t({-50, -10.001, -9.999, 9.999, 10.001, 50})));
  EXPECT_EQ(slope[0], 0);
  EXPECT_EQ(slope[1], 0);
  // [-0.8 sigma(-z) - 0.2 sigma(z)] / 0.6: -4/3 far left, -1/3 far right.
  EXPECT_NEAR(slope[2], -4.0 / 3, 1e-4);
  EXPECT_NEAR(slope[3], -1.0 / 3, 1e-4);
  EXPECT_EQ(slope[4], 0);
  EXPECT_EQ(slope[5], 0);
}

TEST(PairLinks, FlipOfAnUninformativeJudgeIsLogTwoWithoutGradient) {
  const auto coin = [](const at::Tensor& z) { return flip_link(z, z.detach() * 0 + 0.5); };
  for (const double value : list(coin(t({-800, 0, 3})))) EXPECT_NEAR(value, std::log(2.0), 1e-12);
  for (const double slope : list(gradient(coin, t({-800, 0, 3})))) EXPECT_EQ(slope, 0);
}

TEST(PairLinks, RaoKupperSharesOneBetweenBothWinsAndTheTie) {
  for (const double tau : {1e-4, 0.3, 2.0, 60.0})
    for (const double z : {-4.0, 0.0, 0.7, 9.0}) {
      const auto chance = [](const at::Tensor& loss) { return std::exp(-loss.item<double>()); };
      EXPECT_NEAR(chance(rk_win(t({z}), t({tau}))) + chance(rk_win(t({-z}), t({tau}))) +
                      chance(rk_tie(t({z}), t({tau}))),
                  1, 1e-12)
          << tau << ' ' << z;
    }
  // A quarter of ties between equals: tanh(tau / 2) = 0.25.
  EXPECT_NEAR(std::exp(-rk_tie(t({0}), t({rk_tau(0.25)})).item<double>()), 0.25, 1e-12);
}

TEST(PairLinks, OrdinalWithOneCutIsRaoKupper) {
  const auto z = t({0.4, 0.4, 0.4}), step = t({-1, 0, 1}), tau = t({0.8});
  const auto ordinal = list(ordinal_link(z, step, tau));
  EXPECT_NEAR(ordinal[0], rk_win(t({-0.4}), tau).item<double>(), 1e-12);
  EXPECT_NEAR(ordinal[1], rk_tie(t({0.4}), tau).item<double>(), 1e-12);
  EXPECT_NEAR(ordinal[2], rk_win(t({0.4}), tau).item<double>(), 1e-12);
}

TEST(PairLinks, OrdinalSharesOneBetweenSevenStepsAndIsEvenInOrder) {
  const auto cuts = t({0.5, 1.25, 3});
  const auto steps = t({-3, -2, -1, 0, 1, 2, 3});
  for (const double z : {-8.0, -1.0, 0.0, 2.5}) {
    const auto losses = list(ordinal_link(steps * 0 + z, steps, cuts));
    const auto mirrored = list(ordinal_link(steps * 0 - z, -steps, cuts));
    double sum = 0;
    for (std::size_t i = 0; i < losses.size(); ++i) {
      sum += std::exp(-losses[i]);
      EXPECT_NEAR(losses[i], mirrored[i], 1e-12);
    }
    EXPECT_NEAR(sum, 1, 1e-12);
  }
  // Step 2 at z = 1: sigma(3 - 1) - sigma(1.25 - 1) = 0.8807970780 - 0.5621765009 = 0.3186205771
  EXPECT_NEAR(ordinal_link(t({1}), t({2}), cuts).item<double>(),
              -std::log(0.8807970779778823 - 0.5621765008857981), 1e-12);
  EXPECT_ANY_THROW(ordinal_link(t({1}), t({4}), cuts));
}

TEST(PairLinks, GradientsMatchDifferences) {
  const auto z = t({-6, -0.8, 0.3, 2, 7.5}), eps = t({0.02, 0.1, 0.2, 0.3, 0.45});
  const auto tau = t({0.7}), cuts = t({0.4, 1.1, 2.3}), step = t({-3, -1, 0, 2, 3});
  EXPECT_LT(gradient_error(sigmoid_link, z), 1e-8);
  EXPECT_LT(gradient_error([&](const auto& x) { return soft_link(x, eps); }, z), 1e-8);
  EXPECT_LT(gradient_error([&](const auto& x) { return debiased_link(x, eps); }, z), 1e-8);
  EXPECT_LT(gradient_error([&](const auto& x) { return flip_link(x, eps); }, z), 1e-8);
  EXPECT_LT(gradient_error([&](const auto& x) { return margin_link(x, eps); }, z), 1e-8);
  EXPECT_LT(gradient_error(hinge_link, z), 1e-8);
  EXPECT_LT(gradient_error([&](const auto& x) { return rk_win(x, tau); }, z), 1e-8);
  EXPECT_LT(gradient_error([&](const auto& x) { return rk_tie(x, tau); }, z), 1e-8);
  EXPECT_LT(gradient_error([&](const auto& x) { return rk_tie(z, x); }, tau), 1e-7);
  EXPECT_LT(gradient_error([&](const auto& x) { return ordinal_link(x, step, cuts); }, z), 1e-8);
  EXPECT_LT(gradient_error([&](const auto& x) { return ordinal_link(z, step, x); }, cuts), 1e-7);
}

TEST(PairLinks, StayFiniteFarOutInBothTypes) {
  for (const auto type : {at::kDouble, at::kFloat}) {
    const auto z = t({-1e4, -400, 400, 1e4}).to(type), eps = z * 0 + 0.1;
    const auto cuts = t({0.4, 1.1, 2.3}).to(type);
    const PairLabels labels{
        .p = eps, .flip = eps, .margin = eps, .step = t({-3, 0, 1, 3}), .tie = t({0, 1, 0, 1})};
    for (const auto link : {Link::Sigmoid, Link::Soft, Link::Debiased, Link::Flip, Link::Margin,
                            Link::Hinge, Link::RaoKupper, Link::Ordinal}) {
      const LinkOptions options{.cuts = link == Link::RaoKupper ? cuts.slice(0, 0, 1) : cuts};
      const auto loss = [&](const at::Tensor& x) { return link_loss(link, x, labels, options); };
      EXPECT_EQ(loss(z).scalar_type(), type);
      EXPECT_TRUE(loss(z).isfinite().all().item<bool>()) << static_cast<int>(link);
      EXPECT_TRUE(gradient(loss, z).isfinite().all().item<bool>()) << static_cast<int>(link);
    }
  }
}

TEST(PairLinks, LinkLossChoosesByNameAndByTie) {
  const PairLabels labels{.tie = t({0, 1})};
  const LinkOptions options{.cuts = t({0.6})};
  const auto both = list(link_loss(Link::RaoKupper, t({0.3, 0.3}), labels, options));
  EXPECT_EQ(both[0], rk_win(t({0.3}), t({0.6})).item<double>());
  EXPECT_EQ(both[1], rk_tie(t({0.3}), t({0.6})).item<double>());
  EXPECT_ANY_THROW(link_loss(Link::Soft, t({0.3}), {}, {}));
  EXPECT_ANY_THROW(link_loss(Link::Ordinal, t({0.3}), {.step = t({1})}, {}));
}

TEST(PairLinks, OfNoPairsAreEmpty) {
  const auto none = t({});
  const PairLabels labels{.p = none, .flip = none, .margin = none, .step = none, .tie = none};
  for (const auto link : {Link::Sigmoid, Link::Soft, Link::Debiased, Link::Flip, Link::Margin,
                          Link::Hinge, Link::RaoKupper, Link::Ordinal})
    EXPECT_EQ(link_loss(link, none, labels, {.cuts = t({0.5})}).numel(), 0);
}

}  // namespace
}  // namespace hone::rl
