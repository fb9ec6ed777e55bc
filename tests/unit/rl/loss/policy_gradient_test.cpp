#include "rl/loss/policy_gradient.h"

#include <gtest/gtest.h>

#include <limits>

#include "feedback/base/error.h"
#include "rl/loss/aggregate.h"
#include "tests/unit/rl/loss/support.h"

namespace hone::rl {
namespace {

using testing::gradient;
using testing::gradient_error;
using testing::list;
using testing::t;

using Lengths = std::vector<std::int64_t>;
using V = std::vector<double>;

at::Tensor ones(const at::Tensor& like) { return like.detach() * 0 + 1; }

/// One sequence, every token counts, sampled at log-probability 0: lp is the log-ratio.
PolicyLoss of(const at::Tensor& lp, const at::Tensor& advantages, const PolicyOptions& options) {
  return policy_loss(lp, lp.detach() * 0, {}, advantages, ones(lp), Lengths{lp.size(0)}, options);
}

void expect_near(const at::Tensor& got, const V& want, double tolerance = 1e-12) {
  const auto values = list(got);
  ASSERT_EQ(values.size(), want.size());
  for (std::size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(values[i], want[i], tolerance) << i;
}

// Ratios 0.5, 0.9, 1.1, 2 and 4.
at::Tensor log_ratios() { return t({0.5, 0.9, 1.1, 2, 4}).log(); }

TEST(PolicyLoss, ClipMatchesTokensWorkedByHand) {
  // A = 1: -min(rho, clamp(rho, 0.8, 1.2)) = -0.5 -0.9 -1.1 -1.2 -1.2
  const auto good = of(log_ratios(), t({1, 1, 1, 1, 1}), {});
  expect_near(good.per_token, {-0.5, -0.9, -1.1, -1.2, -1.2});
  EXPECT_EQ(list(good.clip_high), (V{0, 0, 0, 1, 1}));
  EXPECT_EQ(list(good.clip_low), (V{0, 0, 0, 0, 0}));
  // A = -2: max(2 rho, 2 clamp(rho)) = 1.6 1.8 2.2 4 8
  const auto bad = of(log_ratios(), t({-2, -2, -2, -2, -2}), {});
  expect_near(bad.per_token, {1.6, 1.8, 2.2, 4, 8});
  EXPECT_EQ(list(bad.clip_low), (V{1, 0, 0, 0, 0}));
  EXPECT_EQ(list(bad.dual), (V{0, 0, 0, 0, 0}));
}

TEST(PolicyLoss, DualClipEndsTheLossOfBadTokens) {
  // c = 3, A = -2: at most 6; A = 1 is not touched.
  const PolicyOptions dual{.surrogate = {.dual = 3}};
  const auto bad = of(log_ratios(), t({-2, -2, -2, -2, -2}), dual);
  expect_near(bad.per_token, {1.6, 1.8, 2.2, 4, 6});
  EXPECT_EQ(list(bad.dual), (V{0, 0, 0, 0, 1}));
  expect_near(of(log_ratios(), t({1, 1, 1, 1, 1}), dual).per_token, {-0.5, -0.9, -1.1, -1.2, -1.2});
  const auto slope = list(gradient(
      [&](const auto& lp) {
        return of(lp, t({-2, -2, -2, -2, -2}), dual).per_token;
      },
      log_ratios()));
  EXPECT_EQ(slope[4], 0);
  EXPECT_NEAR(slope[3], 4, 1e-12);
}

TEST(PolicyLoss, BoundsMayLieApart) {
  const PolicyOptions dapo{.surrogate = {.clip_low = 0.2, .clip_high = 0.28}};
  expect_near(of(t({2, 0.5}).log(), t({1, -1}), dapo).per_token, {-1.28, 0.8});
}

TEST(PolicyLoss, CispoWeighsTheLogProbabilityWithoutGradientThroughTheWeight) {
  // -clamp(rho, 0, 3) A lp, here lp = log rho: rho = 2, 4.
  const PolicyOptions cispo{.surrogate = {.cispo = true, .cispo_min = 0, .cispo_max = 3}};
  const auto lp = t({2, 4}).log(), a = t({1, -0.5});
  const auto out = of(lp, a, cispo);
  expect_near(out.per_token, {-2 * std::log(2.0), 1.5 * std::log(4.0)});
  EXPECT_EQ(list(out.clip_high), (V{0, 0}));  // A < 0 is not held back by the upper bound
  // Clipped tokens go on learning: the gradient is the weight itself.
  expect_near(gradient([&](const auto& x) { return of(x, a, cispo).per_token; }, lp), {-2, 1.5});
}

TEST(PolicyLoss, OnPolicyTheRatioIsExactlyOneAndTheGradientMinusTheAdvantage) {
  const auto lp = t({-0.3, -2.7, -11.1, -0.001}), a = t({0.4, 0.4, -1.7, -1.7});
  for (const auto type : {at::kDouble, at::kFloat})
    for (const auto ratio : {Ratio::Token, Ratio::SeqMean, Ratio::SeqSum}) {
      const PolicyOptions options{.ratio = ratio};
      const auto loss = [&](const at::Tensor& x) {
        return policy_loss(x, lp.to(type), {}, a.to(type), ones(lp), Lengths{2, 2}, options);
      };
      const auto out = loss(lp.to(type));
      EXPECT_EQ(out.per_token.scalar_type(), type);
      EXPECT_EQ(list(out.ratio), (V{1, 1, 1, 1}));
      EXPECT_EQ(list(out.per_token), list(-a.to(type)));
      // Of a sequence ratio the sum over a sequence's 2 tokens is 2 A times d(ratio)/d(lp): 1/2
      // or 1.
      const double per = ratio == Ratio::SeqSum ? 2 : 1;
      const auto slope =
          list(gradient([&](const auto& x) { return loss(x).per_token; }, lp.to(type)));
      for (std::size_t i = 0; i < 4; ++i)
        EXPECT_NEAR(slope[i], -per * a[static_cast<std::int64_t>(i)].item<double>(), 1e-6);
    }
}

TEST(PolicyLoss, SequenceRatiosMatchTwoSequencesWorkedByHand) {
  // Log-ratios 0.1 0.3 | -0.2 (masked 7) 0.1: means 0.2 and -0.05, sums 0.4 and -0.1.
  const auto lp = t({0.1, 0.3, -0.2, 7, 0.1}), a = t({2, 2, -1, -1, -1});
  const auto mask = t({1, 1, 1, 0, 1});
  const auto loss = [&](Ratio ratio) {
    return policy_loss(lp, lp * 0, {}, a, mask, Lengths{2, 3},
                       {.ratio = ratio, .surrogate = {.clip_low = 0.9, .clip_high = 0.9}});
  };
  const double m1 = std::exp(0.2), m2 = std::exp(-0.05), s1 = std::exp(0.4), s2 = std::exp(-0.1);
  expect_near(loss(Ratio::SeqMean).per_token, {-2 * m1, -2 * m1, m2, 0, m2});
  expect_near(loss(Ratio::SeqSum).per_token, {-2 * s1, -2 * s1, s2, 0, s2});
  expect_near(loss(Ratio::SeqSum).ratio, {s1, s1, s2, 1, s2});
}

TEST(PolicyLoss, OfASequenceRatioCountsASequenceOnceUnderItsAggregation) {
  // rloo: mean over sequences of -rho A, rho the sequence's; its gradient is -rho A / N everywhere.
  const auto lp = t({0.01, 0.02, -0.03, 0.04, 0.01}), a = t({2, 2, -1, -1, -1});
  const Lengths lengths = {2, 3};
  const StepTotals totals{.sequences = 2, .tokens = 5};
  const auto share = [&](const at::Tensor& x) {
    const auto out = policy_loss(x, lp * 0, {}, a, ones(lp), lengths, {.ratio = Ratio::SeqSum});
    return out.per_token * token_weights(ones(lp), lengths, Aggregation::SeqMean, totals);
  };
  const double r1 = std::exp(0.03), r2 = std::exp(0.02);
  EXPECT_NEAR(share(lp).sum().item<double>(), (-2 * r1 + r2) / 2, 1e-12);
  expect_near(gradient(share, lp), {-r1, -r1, r2 / 2, r2 / 2, r2 / 2});
}

TEST(PolicyLoss, NothingUnderTheMaskMatters) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto clean = t({-1, -2, -1.5}), dirty = t({-1, nan, -1.5});
  const auto old = t({-1.1, nan, -1.4}), a = t({1, nan, 1}), mask = t({1, 0, 1});
  for (const auto ratio : {Ratio::Token, Ratio::SeqMean, Ratio::SeqSum})
    for (const bool cispo : {false, true}) {
      const PolicyOptions options{.ratio = ratio,
                                  .surrogate = {.cispo = cispo},
                                  .kl_place = KlPlace::Loss,
                                  .kl_coefficient = 0.1};
      const auto loss = [&](const at::Tensor& x) {
        return policy_loss(x, old, old, a, mask, Lengths{3}, options).per_token;
      };
      EXPECT_EQ(list(loss(dirty)), list(loss(clean)));
      EXPECT_EQ(list(loss(dirty))[1], 0);
      EXPECT_EQ(list(gradient(loss, dirty)), list(gradient(loss, clean)));
      EXPECT_EQ(list(gradient(loss, dirty))[1], 0);
    }
}

TEST(PolicyLoss, ClampsExponentsAndCountsThem) {
  const auto lp = t({25, -25, 19, 0}), a = t({-1, -1, -1, -1});
  const auto out = of(lp, a, {});
  EXPECT_EQ(out.clamped_ratios, 2);
  EXPECT_NEAR(list(out.ratio)[0], std::exp(20), 1e-3);
  const auto slope = list(gradient([&](const auto& x) { return of(x, a, {}).per_token; }, lp));
  EXPECT_EQ(slope[0], 0);
  EXPECT_NEAR(slope[2], std::exp(19), 1e-3);
  // A sequence's exponent is its own: the sum is 19, the mean below that.
  EXPECT_EQ(of(lp, a, {.ratio = Ratio::SeqSum}).clamped_ratios, 0);
  EXPECT_EQ(of(t({15, 15}), t({1, 1}), {.ratio = Ratio::SeqSum}).clamped_ratios, 1);
}

TEST(PolicyLoss, GradientsMatchDifferencesOffPolicy) {
  const auto lp = t({-0.5, -1.7, -0.9, -3, -0.2}), old = t({-0.6, -1.5, -1.9, -2.2, -0.25});
  const auto ref = t({-0.4, -2, -1, -2.5, -0.3}), a = t({1.2, -0.7, 0.5, -2, 0.1});
  const auto mask = t({1, 1, 0, 1, 1});
  for (const auto ratio : {Ratio::Token, Ratio::SeqMean, Ratio::SeqSum})
    for (const auto estimator : {KlEstimator::K2, KlEstimator::K3}) {
      const PolicyOptions options{.ratio = ratio,
                                  .surrogate = {.dual = 3},
                                  .kl_place = KlPlace::Loss,
                                  .kl_estimator = estimator,
                                  .kl_coefficient = 0.3};
      const auto loss = [&](const at::Tensor& x) {
        return policy_loss(x, old, ref, a, mask, Lengths{2, 3}, options).per_token;
      };
      EXPECT_LT(gradient_error(loss, lp), 1e-8);
    }
}

TEST(KlEstimate, MatchesTokenWorkedByHand) {
  // lp - ref = 0.5: k1 = 0.5, k2 = 0.125, k3 = e^-0.5 - 1 + 0.5 = 0.1065306597
  const auto lp = t({-1}), ref = t({-1.5});
  EXPECT_NEAR(kl_estimate(lp, ref, KlEstimator::K1).item<double>(), 0.5, 1e-15);
  EXPECT_NEAR(kl_estimate(lp, ref, KlEstimator::K2).item<double>(), 0.125, 1e-15);
  EXPECT_NEAR(kl_estimate(lp, ref, KlEstimator::K3).item<double>(), 0.1065306597126334, 1e-12);
  EXPECT_NEAR(kl_estimate(lp, ref, KlEstimator::K3GradK2).item<double>(), 0.1065306597126334,
              1e-12);
}

TEST(KlEstimate, K3GradK2HasTheValueOfOneAndTheGradientOfTheOther) {
  const auto lp = t({-1, -0.2, -4, -30}), ref = t({-1.5, -0.2, -1, -5});
  const auto by = [&](KlEstimator e) {
    return [&, e](const at::Tensor& x) { return kl_estimate(x, ref, e); };
  };
  EXPECT_EQ(list(by(KlEstimator::K3GradK2)(lp)), list(by(KlEstimator::K3)(lp)));
  EXPECT_EQ(list(gradient(by(KlEstimator::K3GradK2), lp)), list(gradient(by(KlEstimator::K2), lp)));
}

TEST(KlEstimate, ExpectedGradientsAreNoneTheForwardAndTheReverseKl) {
  // Three tokens, the policy softmax(x), samples weighted by their own probability held fixed.
  const auto x = t({0.3, -1.2, 0.9}), ref = t({-0.5, 0.4, 0.2}).log_softmax(0, at::kDouble);
  const auto p = x.softmax(0, at::kDouble);
  const auto expected = [&](KlEstimator e) {
    return gradient(
        [&](const at::Tensor& v) { return p * kl_estimate(v.log_softmax(0, at::kDouble), ref, e); },
        x);
  };
  const auto of_policy = gradient(
      [&](const at::Tensor& v) {
        const auto l = v.log_softmax(0, at::kDouble);
        return l.exp() * (l - ref);
      },
      x);
  const auto of_reference = gradient(
      [&](const at::Tensor& v) { return ref.exp() * (ref - v.log_softmax(0, at::kDouble)); }, x);
  expect_near(expected(KlEstimator::K1), {0, 0, 0});
  expect_near(expected(KlEstimator::K2), list(of_policy));
  expect_near(expected(KlEstimator::K3GradK2), list(of_policy));
  expect_near(expected(KlEstimator::K3), list(of_reference));
}

TEST(KlEstimate, OfTokensThePolicyHasForgottenStaysFinite) {
  std::int64_t clamped = 0;
  const auto k3 = kl_estimate(t({-900, -1}).to(at::kFloat), t({-1, -900}).to(at::kFloat),
                              KlEstimator::K3, &clamped);
  EXPECT_TRUE(k3.isfinite().all().item<bool>());
  EXPECT_EQ(clamped, 1);
  EXPECT_NEAR(k3[1].item<double>(), 898, 1e-3);
}

TEST(PolicyLoss, RefusesK1InTheLossAndWhatCarriesGradient) {
  const auto lp = t({-1, -2});
  EXPECT_THROW(policy_loss(lp, lp, lp, lp, ones(lp), Lengths{2},
                           {.kl_place = KlPlace::Loss, .kl_estimator = KlEstimator::K1}),
               Error);
  EXPECT_ANY_THROW(policy_loss(lp, lp, {}, lp, ones(lp), Lengths{2}, {.kl_place = KlPlace::Loss}));
  EXPECT_ANY_THROW(
      policy_loss(lp, lp.clone().set_requires_grad(true), {}, lp, ones(lp), Lengths{2}, {}));
  EXPECT_NO_THROW(policy_loss(lp, lp, {}, lp, ones(lp), Lengths{2}, {.kl_place = KlPlace::Reward}));
}

TEST(PolicyLoss, OfNoTokensIsEmpty) {
  for (const auto ratio : {Ratio::Token, Ratio::SeqMean, Ratio::SeqSum})
    EXPECT_EQ(policy_loss(t({}), t({}), {}, t({}), t({}), {}, {.ratio = ratio}).per_token.numel(),
              0);
}

}  // namespace
}  // namespace hone::rl
