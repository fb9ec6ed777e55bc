#include "rl/loss/preference.h"

#include <gtest/gtest.h>

#include "feedback/base/error.h"
#include "tests/unit/rl/loss/support.h"

namespace hone::rl {
namespace {

using testing::gradient;
using testing::gradient_error;
using testing::list;
using testing::t;

constexpr PreferenceForm kForms[] = {PreferenceForm::Dpo,      PreferenceForm::DpoMean,
                                     PreferenceForm::IpoSum,   PreferenceForm::IpoMean,
                                     PreferenceForm::ApoZero,  PreferenceForm::ApoDown,
                                     PreferenceForm::SppoHard, PreferenceForm::Nca,
                                     PreferenceForm::Simpo,    PreferenceForm::Orpo};

double sigma(double x) { return 1 / (1 + std::exp(-x)); }

// h_c = -4 - -8 = 4 over 2 tokens, h_r = -9 - -6 = -3 over 3 tokens.
const ResponseSums kChosen() { return {.logp = t({-4}), .ref = t({-8}), .tokens = t({2})}; }
const ResponseSums kRejected() { return {.logp = t({-9}), .ref = t({-6}), .tokens = t({3})}; }

double value(PreferenceForm form, PreferenceOptions options = {.beta = 0.5}) {
  options.form = form;
  return preference_loss(kChosen(), kRejected(), {}, options).per_pair.item<double>();
}

TEST(PreferenceLoss, MatchesPairsWorkedByHand) {
  // z = 0.5 * (4 + 3) = 3.5;  by mean 0.5 * (2 + 1) = 1.5;  1/(2 beta) = 1
  EXPECT_NEAR(value(PreferenceForm::Dpo), -std::log(sigma(3.5)), 1e-12);
  EXPECT_NEAR(value(PreferenceForm::DpoMean), -std::log(sigma(1.5)), 1e-12);
  EXPECT_NEAR(value(PreferenceForm::IpoSum), 36, 1e-12);  // (7 - 1)^2
  EXPECT_NEAR(value(PreferenceForm::IpoMean), 4, 1e-12);  // (3 - 1)^2
  EXPECT_NEAR(value(PreferenceForm::ApoZero), 1 - sigma(2) + sigma(-1.5), 1e-12);
  EXPECT_NEAR(value(PreferenceForm::ApoDown), sigma(2) + 1 - sigma(3.5), 1e-12);
  EXPECT_NEAR(value(PreferenceForm::SppoHard), 13, 1e-12);  // (4 - 1)^2 + (-3 + 1)^2
  EXPECT_NEAR(value(PreferenceForm::Nca),
              -std::log(sigma(2)) - 0.5 * std::log(sigma(-2)) - 0.5 * std::log(sigma(1.5)), 1e-12);
  // 0.5 * (-4/2 - -9/3) - 0.25 = 0.25: gamma comes off after beta
  EXPECT_NEAR(value(PreferenceForm::Simpo, {.beta = 0.5, .gamma = 0.25}), -std::log(sigma(0.25)),
              1e-12);
  // a = -2 and -3; odds e^-2/(1-e^-2) and e^-3/(1-e^-3)
  const double odds =
      std::log(std::exp(-2) / (1 - std::exp(-2))) - std::log(std::exp(-3) / (1 - std::exp(-3)));
  EXPECT_NEAR(value(PreferenceForm::Orpo, {.lambda = 0.2}), 2 - 0.2 * std::log(sigma(odds)), 1e-12);
}

TEST(PreferenceLoss, MatchesAPairWorkedByHand) {
  // z = 0.5 * ((-1 - -2) - (-5 - -4)) = 1;  loss = log(1 + e^-1) = 0.313262
  const auto out =
      preference_loss({.logp = t({-1}), .ref = t({-2}), .tokens = {}},
                      {.logp = t({-5}), .ref = t({-4}), .tokens = {}}, {}, {.beta = 0.5});
  EXPECT_NEAR(out.per_pair.item<double>(), 0.31326168751822286, 1e-12);
  EXPECT_NEAR(out.reward_chosen.item<double>(), 0.5, 1e-12);
  EXPECT_NEAR(out.reward_rejected.item<double>(), -0.5, 1e-12);
}

TEST(PreferenceLoss, IsLogTwoWithoutRewardsWhenPolicyEqualsReference) {
  const ResponseSums a{.logp = t({-3}), .ref = t({-3}), .tokens = t({4})};
  const ResponseSums b{.logp = t({-7}), .ref = t({-7}), .tokens = t({9})};
  for (const auto form : {PreferenceForm::Dpo, PreferenceForm::DpoMean}) {
    const auto out = preference_loss(a, b, {}, {.form = form});
    EXPECT_NEAR(out.per_pair.item<double>(), std::log(2.0), 1e-15);
    EXPECT_EQ(out.reward_chosen.item<double>(), 0);
    EXPECT_EQ(out.reward_rejected.item<double>(), 0);
  }
}

TEST(PreferenceLoss, SwappingTheResponsesSwapsTheRewardsExactly) {
  for (const auto form : kForms) {
    const auto there = preference_loss(kChosen(), kRejected(), {}, {.form = form});
    const auto back = preference_loss(kRejected(), kChosen(), {}, {.form = form});
    EXPECT_EQ(list(there.reward_chosen), list(back.reward_rejected));
    EXPECT_EQ(list(there.reward_rejected), list(back.reward_chosen));
    EXPECT_FALSE(there.reward_chosen.requires_grad());
  }
}

TEST(PreferenceLoss, PassesLabelsToTheLinkForBothOrders) {
  // The same two responses, laid either way round, judged alike.
  const PreferenceOptions soft{.link = Link::Soft};
  EXPECT_NEAR(
      preference_loss(kChosen(), kRejected(), {.p = t({0.2})}, soft).per_pair.item<double>(),
      preference_loss(kRejected(), kChosen(), {.p = t({0.8})}, soft).per_pair.item<double>(),
      1e-12);
  const PreferenceOptions ordinal{.link = Link::Ordinal,
                                  .link_options = {.cuts = t({0.3, 0.9, 1.5})}};
  EXPECT_NEAR(
      preference_loss(kChosen(), kRejected(), {.step = t({-2})}, ordinal).per_pair.item<double>(),
      preference_loss(kRejected(), kChosen(), {.step = t({2})}, ordinal).per_pair.item<double>(),
      1e-12);
}

TEST(PreferenceLoss, GradientsMatchDifferencesInBothResponses) {
  const auto c = t({-4, -0.1, -20}), r = t({-9, -2, -19}), ref = t({-5, -1, -21});
  const auto n = t({2, 1, 40});
  for (const auto form : kForms) {
    const PreferenceOptions options{.form = form, .beta = 0.3, .gamma = 0.4, .lambda = 0.7};
    const auto of_chosen = [&](const at::Tensor& x) {
      return preference_loss({x, ref, n}, {r, ref, n}, {}, options).per_pair;
    };
    const auto of_rejected = [&](const at::Tensor& x) {
      return preference_loss({c, ref, n}, {x, ref, n}, {}, options).per_pair;
    };
    EXPECT_LT(gradient_error(of_chosen, c), 1e-7) << static_cast<int>(form);
    EXPECT_LT(gradient_error(of_rejected, r), 1e-7) << static_cast<int>(form);
  }
}

TEST(PreferenceLoss, OddsKeepTheirDigitsNearProbabilityOneAndFarBelow) {
  // a = -1e-10: 1 - e^a = 1e-10 (1 - 5e-11), which 1 - exp(a) has only seven digits of.
  // a = -60: log(1 - e^a) is -e^-60, so o = a to the last digit.
  const ResponseSums sure{.logp = t({-1e-10}), .ref = {}, .tokens = t({1})};
  const ResponseSums rare{.logp = t({-60}), .ref = {}, .tokens = t({1})};
  const auto out = preference_loss(sure, rare, {}, {.form = PreferenceForm::Orpo});
  EXPECT_NEAR(out.log_odds.item<double>(), -std::log(1e-10) + 60, 1e-9);
}

TEST(PreferenceLoss, ResponsesOfProbabilityOneStayFinite) {
  for (const auto type : {at::kDouble, at::kFloat}) {
    const auto a = t({0, -1e-9, -1e-30, -5000}).to(type), b = t({-3, 0, -1e-8, 0}).to(type);
    const auto n = a * 0 + 1;
    for (const bool chosen : {true, false}) {
      const auto loss = [&](const at::Tensor& x) {
        const ResponseSums of_x{.logp = x, .ref = {}, .tokens = n};
        const ResponseSums other{.logp = b, .ref = {}, .tokens = n};
        return preference_loss(chosen ? of_x : other, chosen ? other : of_x, {},
                               {.form = PreferenceForm::Orpo})
            .per_pair;
      };
      EXPECT_TRUE(loss(a).isfinite().all().item<bool>());
      EXPECT_TRUE(gradient(loss, a).isfinite().all().item<bool>());
    }
  }
}

TEST(PreferenceLoss, TakesCountsOfAnyTypeAndKeepsTheLogProbabilitiesType) {
  const auto whole =
      preference_loss({t({-4}).to(at::kFloat), t({-8}).to(at::kFloat), t({2}).to(at::kLong)},
                      {t({-9}).to(at::kFloat), t({-6}).to(at::kFloat), t({3}).to(at::kLong)}, {},
                      {.form = PreferenceForm::IpoMean, .beta = 0.5});
  EXPECT_EQ(whole.per_pair.scalar_type(), at::kFloat);
  EXPECT_NEAR(whole.per_pair.item<float>(), 4, 1e-6);
}

TEST(PreferenceLoss, OfNoPairsIsEmpty) {
  const ResponseSums none{.logp = t({}), .ref = t({}), .tokens = t({})};
  for (const auto form : kForms)
    EXPECT_EQ(preference_loss(none, none, {}, {.form = form}).per_pair.numel(), 0);
}

TEST(PreferenceLoss, RefusesWhatHasNoMeaning) {
  for (const auto form : kForms) {
    if (form == PreferenceForm::Dpo || form == PreferenceForm::DpoMean) continue;
    EXPECT_THROW(preference_loss(kChosen(), kRejected(), {.p = t({0.5})},
                                 {.form = form, .link = Link::Soft}),
                 Error);
  }
  EXPECT_ANY_THROW(preference_loss({t({-1}), {}, {}}, kRejected(), {}, {}));
  EXPECT_ANY_THROW(
      preference_loss({t({-1}), t({-1}).set_requires_grad(true), {}}, kRejected(), {}, {}));
  EXPECT_ANY_THROW(
      preference_loss({t({-1}), t({-1}), {}}, kRejected(), {}, {.form = PreferenceForm::DpoMean}));
}

}  // namespace
}  // namespace hone::rl
