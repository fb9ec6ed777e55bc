#include "rl/optim/adamw.h"

#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>

#include "feedback/base/error.h"

namespace hone::rl {

AdamW::AdamW(std::vector<NamedWeight> weights, const AdamWOptions& options)
    : weights_(std::move(weights)), options_(options) {
  for (const auto& [name, weight] : weights_) {
    m_.push_back(at::zeros_like(weight->value));
    v_.push_back(at::zeros_like(weight->value));
    step_counts_.push_back(at::full({}, 0.0f, at::kFloat));
  }
}

double AdamW::step(double learning_rate) {
  std::vector<at::Tensor> values, grads;
  for (const auto& [name, weight] : weights_) {
    values.push_back(weight->value);
    grads.push_back(weight->grad);
  }
  double squares = 0;
  for (const auto& norm : at::_foreach_norm(grads)) {
    const auto n = norm.item<double>();
    squares += n * n;
  }
  const double norm = std::sqrt(squares);
  if (std::isfinite(norm)) {
    ++steps_;
    for (auto& count : step_counts_) count.fill_(static_cast<float>(steps_));
    // The kernel divides gradients by grad_scale, so norm / max clips.
    std::optional<at::Tensor> scale;
    if (options_.max_grad_norm > 0 && norm > options_.max_grad_norm)
      scale = at::full({}, static_cast<float>(norm / options_.max_grad_norm), at::kFloat);
    at::_fused_adamw_(values, grads, m_, v_, {}, step_counts_, learning_rate, options_.beta1,
                      options_.beta2, options_.weight_decay, options_.eps, /*amsgrad=*/false,
                      /*maximize=*/false, scale);
  }
  for (auto& grad : grads) grad.zero_();
  return norm;
}

NamedTensors AdamW::state() const {
  NamedTensors out;
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    out.emplace_back("m." + weights_[i].name, m_[i]);
    out.emplace_back("v." + weights_[i].name, v_[i]);
  }
  return out;
}

void AdamW::restore(const SafetensorsFile& file, std::int64_t steps) {
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    const auto take = [&](const std::string& name, at::Tensor into) {
      const auto read = file.read(name);
      if (read.sizes() != into.sizes())
        throw Error(Code::Invalid, "the checkpoint's tensor has another shape", name);
      into.copy_(read);
    };
    take("m." + weights_[i].name, m_[i]);
    take("v." + weights_[i].name, v_[i]);
  }
  steps_ = steps;
}

}  // namespace hone::rl
