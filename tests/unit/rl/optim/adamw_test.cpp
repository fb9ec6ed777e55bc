#include "rl/optim/adamw.h"

#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace hone::rl {
namespace {

Weight weight(std::vector<float> values) {
  Weight w{at::tensor(values, at::kFloat), {}};
  w.grad = at::zeros_like(w.value);
  return w;
}

TEST(AdamW, TakesTheStepWorkedByHand) {
  // First step: m = 0.1 g, v = 0.001 g^2; corrected m / sqrt(v) = g / |g| = 1, so value -= lr * 1.
  auto w = weight({1.0f});
  AdamW optimizer({{"w", &w}}, {.max_grad_norm = 0});
  w.grad.fill_(0.25f);
  EXPECT_NEAR(optimizer.step(0.1), 0.25, 1e-7);
  EXPECT_NEAR(w.value.item<float>(), 0.9, 1e-6);
  EXPECT_EQ(w.grad.item<float>(), 0);
  // Second, g = -0.5: m = 0.9*0.025 - 0.1*0.5 = -0.0275, v = 0.999*6.25e-5 + 0.001*0.25
  // = 3.124375e-4; m / (1 - 0.81) = -0.144737, v / (1 - 0.998001) = 0.156297, step = 0.1 * 0.144737
  // / 0.395344.
  w.grad.fill_(-0.5f);
  optimizer.step(0.1);
  EXPECT_NEAR(w.value.item<float>(), 0.9 + 0.1 * 0.1447368 / 0.3953441, 1e-5);
}

TEST(AdamW, ClipsByTheNormOfAllWeightsTogether) {
  auto a = weight({0.0f}), b = weight({0.0f});
  AdamW optimizer({{"a", &a}, {"b", &b}}, {.max_grad_norm = 1.0});
  a.grad.fill_(3.0f);
  b.grad.fill_(4.0f);
  EXPECT_NEAR(optimizer.step(0.0), 5, 1e-6);  // before clipping
  // m = 0.1 * clipped gradient: 0.06 and 0.08.
  const auto state = optimizer.state();
  EXPECT_NEAR(state[0].second.item<float>(), 0.06, 1e-6);
  EXPECT_NEAR(state[2].second.item<float>(), 0.08, 1e-6);
}

TEST(AdamW, LeavesEverythingAloneWhenAGradientIsNotFinite) {
  auto w = weight({1.0f});
  AdamW optimizer({{"w", &w}}, {});
  w.grad.fill_(std::numeric_limits<float>::quiet_NaN());
  EXPECT_FALSE(std::isfinite(optimizer.step(0.1)));
  EXPECT_EQ(w.value.item<float>(), 1);
  EXPECT_EQ(optimizer.steps(), 0);
  EXPECT_EQ(w.grad.item<float>(), 0);
}

}  // namespace
}  // namespace hone::rl
