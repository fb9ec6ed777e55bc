#include "rl/train/value_network.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros_like.h>

#include "rl/loss/value.h"
#include "rl/model/lora.h"
#include "rl/model/scalar_head.h"
#include "rl/random/philox.h"

namespace hone::rl {
namespace {

constexpr const char *kSteps = "value.steps", *kOffset = "value.offset";

Model made_to_train(Model model, const TrainSpec& spec) {
  if (spec.lora) {
    add_lora(model, *spec.lora, Random(spec.seed_of(Stream::Init), Stream::Init));
    model.score.grad = at::zeros_like(model.score.value);
  } else {
    train_all_weights(model);
  }
  if (spec.bf16()) use_bf16_products(model);
  return model;
}

}  // namespace

ValueNetwork::ValueNetwork(Model model, const TrainSpec& spec, double offset, double scale)
    : model_(made_to_train(std::move(model), spec)),
      offset_(offset),
      scale_(scale),
      rate_(spec.settings.number("value_learning_rate")),
      clip_(spec.settings.number("value_clip")),
      checkpointed_(spec.activation_checkpointing()),
      optimizer_(weights(), spec.adamw()) {}

/// Under names of their own: the policy's stand in the same checkpoint.
std::vector<NamedWeight> ValueNetwork::weights() {
  auto out = trainable(model_);
  for (auto& named : out) named.name = "value." + named.name;
  return out;
}

at::Tensor ValueNetwork::values(const Packed& packed) const {
  return (scalars_at(model_, packed, packed.rows) - offset_) * scale_;
}

ValueNetwork::Sums ValueNetwork::accumulate(const Packed& packed, const at::Tensor& old_values,
                                            const at::Tensor& returns, const at::Tensor& mask,
                                            std::int64_t tokens) {
  ScalarTrace trace;
  trace.trunk.checkpointed = checkpointed_;
  auto head = scalars_at(model_, packed, packed.rows, &trace).set_requires_grad(true);
  const auto out = value_loss((head - offset_) * scale_, old_values, returns, mask, clip_);
  const auto sum = out.per_token.sum();
  (sum / static_cast<double>(std::max<std::int64_t>(tokens, 1))).backward();
  scalars_backward(model_, packed, packed.rows, head.grad(), std::move(trace));
  return {sum.item<double>(), out.clipped.sum().item<double>()};
}

double ValueNetwork::step(double share) {
  const double norm = optimizer_.step(rate_ * share);
  refresh_bf16_products(model_);
  return norm;
}

NamedTensors ValueNetwork::state() const {
  NamedTensors out = optimizer_.state();
  for (const auto& [name, weight] : const_cast<ValueNetwork*>(this)->weights())
    out.emplace_back(name, weight->value);
  out.emplace_back(kSteps, at::full({1}, optimizer_.steps(), at::kLong));
  out.emplace_back(kOffset, at::full({1}, offset_, at::kDouble));
  return out;
}

void ValueNetwork::restore(const SafetensorsFile& file) {
  for (const auto& [name, weight] : weights()) weight->value.copy_(file.read(name));
  optimizer_.restore(file, file.read(kSteps).item<std::int64_t>());
  offset_ = file.read(kOffset).item<double>();
  refresh_bf16_products(model_);
}

}  // namespace hone::rl
