#include "rl/loss/sampler_correction.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "rl/loss/policy_gradient.h"
#include "tests/unit/rl/loss/support.h"

namespace hone::rl {
namespace {

using testing::gradient;
using testing::list;
using testing::t;

using Lengths = std::vector<std::int64_t>;
using V = std::vector<double>;

void expect_near(const at::Tensor& got, const V& want) {
  const auto values = list(got);
  ASSERT_EQ(values.size(), want.size());
  for (std::size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(values[i], want[i], 1e-12) << i;
}

// Two sequences, of three tokens and of two; the trainer finds tokens so many times as likely.
const Lengths kLengths = {3, 2};
at::Tensor apart() { return t({0.5, 2, 1.5, 4, 2}).log(); }
at::Tensor sampled() { return t({-1, -2, -3, -1, -2}); }
at::Tensor all() { return t({1, 1, 1, 1, 1}); }

TEST(SamplerCorrection, OffSaysNothing) {
  EXPECT_FALSE(
      sampler_weights(sampled(), sampled(), all(), kLengths, SamplerCorrection::Off, 3).defined());
}

TEST(SamplerCorrection, TokensAreWeighedByTheirRatioUpToTheCap) {
  const auto w = [&](const at::Tensor& mask) {
    return sampler_weights(sampled() + apart(), sampled(), mask, kLengths,
                           SamplerCorrection::TokenTruncate, 3);
  };
  expect_near(w(all()), {0.5, 2, 1.5, 3, 2});
  expect_near(w(t({1, 0, 1, 0, 1})), {0.5, 1, 1.5, 1, 2});
}

TEST(SamplerCorrection, ASequenceBeyondTheCapIsNotLearntFrom) {
  const auto w = [&](const at::Tensor& mask) {
    return sampler_weights(sampled() + apart(), sampled(), mask, kLengths,
                           SamplerCorrection::SequenceMask, 3);
  };
  expect_near(w(all()), {1.5, 1.5, 1.5, 0, 0});               // 0.5 * 2 * 1.5, and 4 * 2 > 3
  expect_near(w(t({1, 0, 1, 0, 1})), {0.75, 1, 0.75, 1, 2});  // what is masked does not count
}

TEST(SamplerCorrection, NothingUnderTheMaskAndNoLongSequenceOverflows) {
  auto old = sampled() + apart();
  old[1] = std::numeric_limits<double>::quiet_NaN();
  expect_near(sampler_weights(old, sampled(), t({1, 0, 1, 1, 1}), kLengths,
                              SamplerCorrection::SequenceMask, 100),
              {0.75, 1, 0.75, 8, 8});
  const auto far = sampler_weights(sampled() + 500, sampled(), all(), kLengths,
                                   SamplerCorrection::SequenceMask, 1e300);
  expect_near(far.log(), {20, 20, 20, 20, 20});
}

TEST(SamplerCorrection, WeighsTheSurrogateAndItsGradientButNotTheKl) {
  const auto old = t({-1, -2}), ref = t({-1.5, -1.5}), advantages = t({1, -2}),
             weights = t({0.5, 2});
  const PolicyOptions options{
      .kl_place = KlPlace::Loss, .kl_estimator = KlEstimator::K2, .kl_coefficient = 0.1};
  const auto loss = [&](const at::Tensor& lp) {
    return policy_loss(lp, old, ref, advantages, t({1, 1}), Lengths{2}, options, weights).per_token;
  };
  // -w A + 0.1 (lp - ref)^2 / 2 on the samples themselves
  expect_near(loss(old), {-0.5 + 0.0125, 4 + 0.0125});
  expect_near(gradient(loss, old), {-0.5 + 0.05, 4 - 0.05});
}

}  // namespace
}  // namespace hone::rl
