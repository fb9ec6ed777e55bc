#include "rl/optim/adamw.h"

#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/full.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>

#include "feedback/base/error.h"
#include "rl/ops/zero_pages.h"

namespace hone::rl {

/// What the kernel is given: whole weights, and of those that are looked up the live rows.
struct AdamW::Pieces {
  std::vector<at::Tensor> values, grads, m, v;
  std::vector<at::Tensor> still;  ///< rows of values without gradient and moments
};

AdamW::AdamW(std::vector<NamedWeight> weights, const AdamWOptions& options)
    : weights_(std::move(weights)), options_(options) {
  for (const auto& [name, weight] : weights_)
    for (auto* moments : {&m_, &v_})
      moments->push_back(weight->looked_up ? zero_pages(weight->value.sizes())
                                           : at::zeros_like(weight->value));
}

std::map<at::DeviceType, AdamW::Pieces> AdamW::pieces() const {
  std::map<at::DeviceType, Pieces> by_device;
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    const auto& w = *weights_[i].weight;
    auto& p = by_device[w.value.device().type()];
    const auto runs = w.looked_up ? live_runs({w.grad, m_[i], v_[i]})
                                  : std::vector<RowRun>{{0, w.value.size(0), true}};
    for (const auto& run : runs) {
      const auto rows = [&](const at::Tensor& t) { return t.narrow(0, run.from, run.count); };
      if (!run.live) {
        p.still.push_back(rows(w.value));
        continue;
      }
      p.values.push_back(rows(w.value));
      p.grads.push_back(rows(w.grad));
      p.m.push_back(rows(m_[i]));
      p.v.push_back(rows(v_[i]));
    }
  }
  return by_device;
}

double AdamW::step(double learning_rate) {
  auto by_device = pieces();
  double squares = 0;
  for (const auto& [device, p] : by_device) {
    if (p.grads.empty()) continue;
    const auto norms = at::stack(at::_foreach_norm(p.grads)).to(at::kCPU, at::kDouble);
    for (std::int64_t i = 0; i < norms.size(0); ++i)
      squares += norms.const_data_ptr<double>()[i] * norms.const_data_ptr<double>()[i];
  }
  const double norm = std::sqrt(squares);
  const bool finite = std::isfinite(norm);
  if (finite) ++steps_;
  for (auto& [device, p] : by_device) {
    if (finite) apply(p, norm, learning_rate);
    for (auto& grad : p.grads) grad.zero_();
  }
  return norm;
}

void AdamW::apply(Pieces& p, double norm, double learning_rate) const {
  if (!p.values.empty()) {
    const auto options = p.values.front().options().dtype(at::kFloat);
    const std::vector<at::Tensor> counts(p.values.size(),
                                         at::full({}, static_cast<float>(steps_), options));
    // The kernel divides gradients by grad_scale, so norm / max clips.
    std::optional<at::Tensor> scale;
    if (options_.max_grad_norm > 0 && norm > options_.max_grad_norm)
      scale = at::full({}, static_cast<float>(norm / options_.max_grad_norm), options);
    at::_fused_adamw_(p.values, p.grads, p.m, p.v, {}, counts, learning_rate, options_.beta1,
                      options_.beta2, options_.weight_decay, options_.eps, /*amsgrad=*/false,
                      /*maximize=*/false, scale);
  }
  if (options_.weight_decay != 0)
    for (auto& rows : p.still) rows.sub_(rows, learning_rate * options_.weight_decay);
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
      if (!weights_[i].weight->looked_up) {
        into.copy_(read);
        return;
      }
      for (const auto& run : live_runs({read}))  // the others stay off the memory
        if (run.live)
          into.narrow(0, run.from, run.count).copy_(read.narrow(0, run.from, run.count));
    };
    take("m." + weights_[i].name, m_[i]);
    take("v." + weights_[i].name, v_[i]);
  }
  steps_ = steps;
}

}  // namespace hone::rl
