#include "rl/loss/distill.h"

#include <gtest/gtest.h>

#include "feedback/base/error.h"
#include "tests/unit/rl/loss/support.h"

namespace hone::rl {
namespace {

using testing::gradient;
using testing::gradient_error;
using testing::list;
using testing::t;

const std::vector<DistillOptions> kAll = {
    {.divergence = Divergence::ForwardKl},
    {.divergence = Divergence::ReverseKl},
    {.divergence = Divergence::JensenShannon, .beta = 0.5},
    {.divergence = Divergence::JensenShannon, .beta = 0.1, .temperature = 2},
    {.divergence = Divergence::JensenShannon, .beta = 0.9, .temperature = 0.7},
    {.divergence = Divergence::ForwardKl, .temperature = 3},
    {.divergence = Divergence::ReverseKl, .temperature = 0.5},
};

at::Tensor student() { return t({0.3, -1, 2, 0, 5, -4, 0.1, 0.2}).reshape({2, 4}); }
at::Tensor teacher() { return t({1, 0.5, -2, 0, 0, 0, 3, -1}).reshape({2, 4}); }

TEST(DistillLoss, MatchesTwoTokensWorkedByHand) {
  // s = (1/2, 1/2), t = (3/4, 1/4).
  const auto s = t({0, 0}).reshape({1, 2}), teach = t({std::log(3.0), 0}).reshape({1, 2});
  const auto value = [&](const DistillOptions& options) {
    return distill_loss(s, teach, options).item<double>();
  };
  const double l = std::log(1.5), h = std::log(0.5);
  EXPECT_NEAR(value({.divergence = Divergence::ForwardKl}), 0.75 * l + 0.25 * h, 1e-12);
  EXPECT_NEAR(value({.divergence = Divergence::ReverseKl}), -0.5 * l - 0.5 * h, 1e-12);
  // beta 0.25: m = 0.25 t + 0.75 s = (0.5625, 0.4375)
  const double of_teacher = 0.75 * std::log(0.75 / 0.5625) + 0.25 * std::log(0.25 / 0.4375);
  const double of_student = 0.5 * std::log(0.5 / 0.5625) + 0.5 * std::log(0.5 / 0.4375);
  EXPECT_NEAR(value({.divergence = Divergence::JensenShannon, .beta = 0.25}),
              0.25 * of_teacher + 0.75 * of_student, 1e-12);
}

TEST(DistillLoss, EndsOfBetaAreForwardAndReverse) {
  const auto value = [&](const DistillOptions& options) {
    return list(distill_loss(student(), teacher(), options));
  };
  EXPECT_EQ(value({.divergence = Divergence::JensenShannon, .beta = 0}),
            value({.divergence = Divergence::ForwardKl}));
  EXPECT_EQ(value({.divergence = Divergence::JensenShannon, .beta = 1}),
            value({.divergence = Divergence::ReverseKl}));
}

TEST(DistillLoss, IsZeroWithoutGradientWhereTheStudentIsTheTeacher) {
  for (const auto& options : kAll) {
    // The same distribution: logits may differ by a constant.
    const auto same = distill_loss(teacher() + 7, teacher(), options);
    for (const double v : list(same)) EXPECT_NEAR(v, 0, 1e-12);
    for (const double g : list(distill_gradient(teacher() + 7, teacher(), options, t({1, 1}))))
      EXPECT_NEAR(g, 0, 1e-12);
    for (const double v : list(distill_loss(student(), teacher(), options))) EXPECT_GT(v, 0);
  }
}

TEST(DistillGradient, IsAutogradsInClosedForm) {
  const auto upstream = t({0.3, -1.7});
  for (const auto& options : kAll) {
    const auto loss = [&](const at::Tensor& x) {
      return upstream * distill_loss(x, teacher(), options);
    };
    EXPECT_LT(gradient_error(loss, student()), 1e-8);
    const auto ours = list(distill_gradient(student(), teacher(), options, upstream));
    const auto theirs = list(gradient(loss, student()));
    for (std::size_t i = 0; i < ours.size(); ++i) EXPECT_NEAR(ours[i], theirs[i], 1e-14);
  }
}

TEST(DistillGradient, SumsToZeroOverTheVocabularyAndRecordsNoGraph) {
  for (const auto& options : kAll) {
    const auto leaf = student().set_requires_grad(true);
    const auto grad = distill_gradient(leaf, teacher(), options, t({1, 1}));
    EXPECT_FALSE(grad.requires_grad());
    for (const double sum : list(grad.sum(-1))) EXPECT_NEAR(sum, 0, 1e-14);
  }
}

TEST(DistillLoss, StaysFiniteWhereTheTwoExcludeEachOther) {
  // In float e^-800 is 0; the logarithms are not.
  const auto s = t({800, 0, -800}).to(at::kFloat).reshape({1, 3}), teach = -s;
  for (const auto& options : kAll) {
    EXPECT_TRUE(distill_loss(s, teach, options).isfinite().all().item<bool>());
    EXPECT_TRUE(
        distill_gradient(s, teach, options, t({1}).to(at::kFloat)).isfinite().all().item<bool>());
  }
}

TEST(DistillLoss, OfNoRowsIsEmpty) {
  const auto none = t({}).reshape({0, 5});
  for (const auto& options : kAll) {
    EXPECT_EQ(distill_loss(none, none, options).numel(), 0);
    EXPECT_EQ(distill_gradient(none, none, options, t({})).numel(), 0);
  }
}

TEST(DistillLoss, RefusesATemperatureOrBetaWithoutMeaning) {
  EXPECT_THROW(distill_loss(student(), teacher(), {.temperature = 0}), Error);
  EXPECT_THROW(
      distill_loss(student(), teacher(), {.divergence = Divergence::JensenShannon, .beta = 1.5}),
      Error);
  EXPECT_ANY_THROW(distill_loss(student(), teacher().set_requires_grad(true), {}));
}

}  // namespace
}  // namespace hone::rl
