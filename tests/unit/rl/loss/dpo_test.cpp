#include "rl/loss/dpo.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <cmath>

#include "rl/loss/pair_links.h"

namespace hone::rl {
namespace {

at::Tensor t(std::vector<double> values) { return at::tensor(values, at::kDouble); }

TEST(DpoLoss, MatchesPairWorkedByHand) {
  // z = 0.5 * ((-1 - -2) - (-5 - -4)) = 1;  loss = log(1 + e^-1) = 0.313262
  const auto out = dpo_loss(t({-1}), t({-5}), t({-2}), t({-4}), t({1}), {.beta = 0.5});
  EXPECT_NEAR(out.per_pair.item<double>(), 0.31326168751822286, 1e-12);
  EXPECT_NEAR(out.reward_a.item<double>(), 0.5, 1e-12);
  EXPECT_NEAR(out.reward_b.item<double>(), -0.5, 1e-12);
}

TEST(DpoLoss, IsLogTwoWhenPolicyEqualsReference) {
  for (const double p : {0.0, 0.3, 0.5, 1.0}) {
    const auto out = dpo_loss(t({-3}), t({-7}), t({-3}), t({-7}), t({p}), {});
    EXPECT_NEAR(out.per_pair.item<double>(), std::log(2.0), 1e-12);
  }
}

TEST(DpoLoss, SwappingTheResponsesFlipsTheRewardMarginExactly) {
  const auto there = dpo_loss(t({-1, -4}), t({-5, -2}), t({-2, -3}), t({-4, -3}), t({1, 1}), {});
  const auto back = dpo_loss(t({-5, -2}), t({-1, -4}), t({-4, -3}), t({-2, -3}), t({1, 1}), {});
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ((there.reward_a[i].item<double>() - there.reward_b[i].item<double>()),
              -(back.reward_a[i].item<double>() - back.reward_b[i].item<double>()));
}

TEST(DpoLoss, GradientIsBetaTimesTheProbabilityOfBeingWrong) {
  // d/d policy_a of -log sigma(z) with z = beta * (...): -beta * sigma(-z); z = 1 gives -0.5 *
  // 0.268941.
  auto a = t({-1}).set_requires_grad(true);
  auto b = t({-5}).set_requires_grad(true);
  dpo_loss(a, b, t({-2}), t({-4}), t({1}), {.beta = 0.5}).per_pair.sum().backward();
  EXPECT_NEAR(a.grad().item<double>(), -0.5 * 0.2689414213699951, 1e-12);
  EXPECT_NEAR(b.grad().item<double>(), 0.5 * 0.2689414213699951, 1e-12);
}

TEST(DpoLoss, ATieIsLeastWhereBothRewardsAreEqual) {
  const auto at_zero = soft_link(t({0}), t({0.5})).item<double>();
  EXPECT_LT(at_zero, soft_link(t({0.1}), t({0.5})).item<double>());
  EXPECT_LT(at_zero, soft_link(t({-0.1}), t({0.5})).item<double>());
}

TEST(DpoLoss, StaysFiniteFarOut) {
  // log sigma(-400) underflows when written as log(sigmoid); here it is 400.
  EXPECT_NEAR(soft_link(t({-400}), t({1})).item<double>(), 400, 1e-9);
  EXPECT_NEAR(soft_link(t({400}), t({1})).item<double>(), 0, 1e-12);
}

TEST(DpoLoss, OfNoPairsIsEmpty) {
  const auto none = at::tensor(std::vector<double>{}, at::kDouble);
  const auto out = dpo_loss(none, none, none, none, none, {});
  EXPECT_EQ(out.per_pair.numel(), 0);
}

TEST(DpoLoss, RefusesAReferenceThatCarriesGradient) {
  EXPECT_ANY_THROW(
      dpo_loss(t({-1}), t({-5}), t({-2}).set_requires_grad(true), t({-4}), t({1}), {}));
}

}  // namespace
}  // namespace hone::rl
