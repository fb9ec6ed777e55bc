#include "rl/model/scalar_head.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>
#include <cstdint>
#include <numbers>

#include "rl/ops/matmul.h"
#include "rl/ops/rowwise.h"

namespace hone::rl {

namespace {

void put_head(Model& model, const at::Tensor& weight) {
  model.config.output = Output::Score;
  model.head = {};
  model.score = {weight.to(model.norm.value.options()), {}, {}};
}

}  // namespace

void make_value_model(Model& model) {
  put_head(model, at::zeros({1, model.config.hidden_size}, at::kFloat));
}

void make_score_model(Model& model, const Random& init) {
  const auto C = model.config.hidden_size;
  auto weight = at::empty({1, C}, at::kFloat);
  const double deviation = 1 / std::sqrt(static_cast<double>(C) + 1);
  for (std::int64_t i = 0; i < C; ++i) {
    // Box and Muller; 1 - u is never 0.
    const double u = init.uniform(0, 2 * static_cast<std::uint64_t>(i));
    const double v = init.uniform(0, 2 * static_cast<std::uint64_t>(i) + 1);
    weight.data_ptr<float>()[i] = static_cast<float>(deviation * std::sqrt(-2 * std::log(1 - u)) *
                                                     std::cos(2 * std::numbers::pi * v));
  }
  put_head(model, weight);
}

at::Tensor scalars_at(const Model& model, const Packed& packed, const at::Tensor& rows,
                      ScalarTrace* trace) {
  const auto x = forward(model, packed.ids, packed.positions, packed.segments,
                         trace ? &trace->trunk : nullptr);
  const auto hidden = at::index_select(x, 0, rows.to(x.device()));
  const auto normed =
      rms_norm(hidden, model.norm.value, model.config.rms_norm_eps, trace ? &trace->rstd : nullptr);
  if (trace) {
    trace->hidden = hidden;
    trace->normed = normed;
  }
  return matmul_nt(normed, model.score.value).view({-1}).cpu();
}

void scalars_backward(Model& model, const Packed& packed, const at::Tensor& rows,
                      const at::Tensor& dvalues, ScalarTrace trace) {
  const auto column = dvalues.contiguous().view({-1, 1}).to(model.device());
  if (model.score.grad.defined()) accumulate_tn(model.score.grad, column, trace.normed);
  const auto dnormed = matmul_nn(column, model.score.value);
  auto dhidden = at::zeros_like(trace.hidden);
  rms_norm_backward(dnormed, trace.hidden, model.norm.value, trace.rstd, dhidden, model.norm.grad);
  auto dx = at::zeros({packed.ids.size(0), model.config.hidden_size}, dhidden.options());
  dx.index_add_(0, rows.to(dx.device()), dhidden);
  backward(model, packed.ids, packed.positions, packed.segments, std::move(trace.trunk), dx);
}

}  // namespace hone::rl
