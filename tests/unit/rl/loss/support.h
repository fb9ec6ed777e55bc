// What the tests of losses share: small tensors, and gradients held against differences.
#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

namespace hone::rl::testing {

inline at::Tensor t(const std::vector<double>& values) { return at::tensor(values, at::kDouble); }

inline std::vector<double> list(const at::Tensor& values) {
  const auto flat = values.detach().to(at::kDouble).contiguous().reshape({-1});
  return {flat.const_data_ptr<double>(), flat.const_data_ptr<double>() + flat.numel()};
}

/// Autograd's gradient of sum(f(x)).
inline at::Tensor gradient(const std::function<at::Tensor(const at::Tensor&)>& f,
                           const at::Tensor& x) {
  auto leaf = x.detach().clone().set_requires_grad(true);
  f(leaf).sum().backward();
  return leaf.grad().defined() ? leaf.grad() : leaf.detach() * 0;
}

/// The largest difference between autograd's gradient of sum(f(x)) and central differences, f64.
inline double gradient_error(const std::function<at::Tensor(const at::Tensor&)>& f,
                             const at::Tensor& x, double h = 1e-6) {
  const auto ours = list(gradient(f, x));
  double worst = 0;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    auto up = x.detach().clone(), down = x.detach().clone();
    up.data_ptr<double>()[i] += h;
    down.data_ptr<double>()[i] -= h;
    const double slope = (f(up).sum().item<double>() - f(down).sum().item<double>()) / (2 * h);
    // A NaN must not hide behind max().
    const double error = std::abs(slope - ours[i]);
    worst = std::isnan(error) ? INFINITY : std::max(worst, error);
  }
  return worst;
}

}  // namespace hone::rl::testing
