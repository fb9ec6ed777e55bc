#include "rl/optim/adamw.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "rl/ops/zero_pages.h"

namespace hone::rl {
namespace {

Weight weight(std::vector<float> values) {
  Weight w{at::tensor(values, at::kFloat), {}, {}};
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

/// The same numbers as where every row is taken.
TEST(AdamW, LeavesRowsThatWereNeverLookedUpButForTheDecay) {
  constexpr std::int64_t R = 4097, C = 48;
  Weight whole{at::rand({R, C}), {}, {}};
  Weight looked_up{whole.value.clone(), {}, {}};
  whole.grad = at::zeros_like(whole.value);
  looked_up.grad = zero_pages({R, C});
  looked_up.looked_up = true;
  const AdamWOptions options{.weight_decay = 0.1, .max_grad_norm = 1};
  AdamW all({{"w", &whole}}, options), some({{"w", &looked_up}}, options);
  for (const std::int64_t row : {0, 5, 4096, 2000, 5, 2001}) {
    const auto gradient = at::randn({C});
    for (auto* w : {&whole, &looked_up}) w->grad[row].add_(gradient);
    EXPECT_NEAR(some.step(0.01), all.step(0.01), 1e-5);
    EXPECT_EQ(looked_up.grad.abs().max().item<float>(), 0);
    EXPECT_LT((whole.value - looked_up.value).abs().max().item<float>(), 1e-6);
  }
  for (std::size_t i = 0; i < 2; ++i)
    EXPECT_LT((all.state()[i].second - some.state()[i].second).abs().max().item<float>(), 1e-7);
}

TEST(ZeroPages, CostNothingUntilTheyAreWrittenAndReadAsZeros) {
  const auto resident = [](const at::Tensor& t) {  // pages of 4096 bytes
    std::vector<unsigned char> in((static_cast<std::size_t>(t.nbytes()) + 4095) / 4096);
    EXPECT_EQ(::mincore(t.data_ptr(), t.nbytes(), in.data()), 0);
    return std::count_if(in.begin(), in.end(), [](unsigned char page) { return page & 1; });
  };
  auto zeros = zero_pages({5000, 1024});  // a row a page
  EXPECT_EQ(resident(zeros), 0);
  zeros[3].fill_(1);
  zeros[4].fill_(1);
  zeros[4999].fill_(1);
  EXPECT_EQ(resident(zeros), 3);
  const auto runs = live_runs({zeros});
  std::vector<std::int64_t> live;
  for (const auto& run : runs)
    if (run.live) live.insert(live.end(), {run.from, run.count});
  EXPECT_EQ(live, (std::vector<std::int64_t>{0, 8, 4996, 4}));
  EXPECT_EQ(zeros.sum().item<float>(), 3 * 1024);
}

}  // namespace
}  // namespace hone::rl
