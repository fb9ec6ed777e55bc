// The written-out backward pass against finite differences of the forward pass.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <functional>

#include "rl/model/lora.h"
#include "rl/model/scalar_head.h"
#include "tests/unit/rl/support/tiny_model.h"

namespace hone::rl {
namespace {

using namespace testing;

double weighted(const at::Tensor& values, const at::Tensor& weights) {
  return (values.to(at::kDouble) * weights.to(at::kDouble)).sum().item<double>();
}

/// Moves each trainable weight a little along a random direction; the objective must move by
/// gradient . direction. Central differences in f32: three digits are what they have.
void expect_gradients_of(Model& model, const std::function<double()>& objective) {
  std::uint64_t which = 500;
  for (const auto& [name, weight] : trainable(model)) {
    const auto direction =
        random_tensor(weight->value.sizes().vec(), which++, 1).to(model.device());
    const auto before = weight->value.clone();
    const double h = 2e-3 / std::sqrt(static_cast<double>(direction.numel()) / 100.0);
    weight->value.copy_(before + direction * h);
    const double up = objective();
    weight->value.copy_(before - direction * h);
    const double down = objective();
    weight->value.copy_(before);
    const double expected = (up - down) / (2 * h);
    const double size = (weight->grad.norm().item<double>()) + 1e-3;
    EXPECT_NEAR(weighted(weight->grad, direction), expected,
                2e-2 * std::abs(expected) + 5e-3 * size)
        << name;
  }
}

void expect_directional_derivatives(Model& model) {
  const auto packed = pack(uneven_groups());
  const auto upstream = random_tensor({packed.targets.size(0)}, 97, 1);
  ScoreTrace trace;
  response_logprobs(model, packed, {}, &trace);
  response_logprobs_backward(model, packed, upstream, {}, std::move(trace));
  expect_gradients_of(model, [&] { return weighted(response_logprobs(model, packed), upstream); });
}

TEST(Gradient, OfAllWeightsIsThatOfFiniteDifferences) {
  for (const auto& shape : {TinyShape{}, TinyShape{.kv_heads = 4, .tied = false}}) {
    auto model = tiny_model(shape);
    train_all_weights(model);
    expect_directional_derivatives(model);
  }
}

TEST(Gradient, OfWhatFamiliesAddIsThatOfFiniteDifferences) {
  for (const auto& shape : {TinyShape{.biases = true}, TinyShape{.qk_norm = true},
                            TinyShape{.window = 4}, TinyShape{.unturned = true}}) {
    auto model = tiny_model(shape);
    train_all_weights(model);
    expect_directional_derivatives(model);
  }
}

TEST(Gradient, OfAdaptersIsThatOfFiniteDifferences) {
  auto model = tiny_model();
  add_lora(model, {.rank = 3, .alpha = 6}, Random(5, Stream::Init));
  for (auto& [name, weight] : trainable(model))  // B of zero would hide A's gradient
    if (name.find("lora_b") != std::string::npos)
      weight->value.copy_(random_tensor(weight->value.sizes().vec(), 77, 0.2));
  expect_directional_derivatives(model);
}

/// Of the numbers that a score head reads at `rows`.
void expect_scalar_derivatives(Model& model, const Packed& packed, const at::Tensor& rows) {
  const auto upstream = random_tensor({rows.size(0)}, 98, 1);
  ScalarTrace trace;
  scalars_at(model, packed, rows, &trace);
  scalars_backward(model, packed, rows, upstream, std::move(trace));
  expect_gradients_of(model, [&] { return weighted(scalars_at(model, packed, rows), upstream); });
}

TEST(Gradient, OfRewardsAndValuesIsThatOfFiniteDifferences) {
  for (const bool rewards : {true, false}) {
    auto model = tiny_model();
    make_score_model(model, Random(3, Stream::Init));
    train_all_weights(model);
    const auto groups = uneven_groups();
    const auto packed = rewards ? pack_whole(groups) : pack(groups);
    expect_scalar_derivatives(model, packed, rewards ? packed.last : packed.rows);
  }
}

TEST(Gradient, AddsUpOverPasses) {
  auto model = tiny_model();
  train_all_weights(model);
  const auto packed = pack(uneven_groups());
  const auto upstream = random_tensor({packed.targets.size(0)}, 96, 1);
  const auto pass = [&] {
    ScoreTrace trace;
    response_logprobs(model, packed, {}, &trace);
    response_logprobs_backward(model, packed, upstream, {}, std::move(trace));
  };
  pass();
  const auto once = model.blocks[0].qkv.weight.grad.clone();
  pass();
  EXPECT_LT(max_difference(model.blocks[0].qkv.weight.grad, once * 2), 1e-4);
}

}  // namespace
}  // namespace hone::rl
