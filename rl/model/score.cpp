#include "rl/model/score.h"

#include <algorithm>

#include <ATen/ops/empty.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include "feedback/base/error.h"
#include "rl/ops/by_real.h"

namespace hone::rl {
namespace {

at::Tensor to_tensor(const Ids& values) {
  auto out = at::empty({static_cast<std::int64_t>(values.size())}, at::kLong);
  std::copy(values.begin(), values.end(), out.data_ptr<std::int64_t>());
  return out;
}

Packed lay_out(std::span<const Group> groups, bool whole);

}  // namespace

std::int64_t packed_tokens(const Group& group) {
  auto tokens = static_cast<std::int64_t>(group.prompt.size());
  for (const auto& response : group.responses)
    tokens += static_cast<std::int64_t>(response.size()) - 1;
  return tokens;
}

Packed pack(std::span<const Group> groups) { return lay_out(groups, false); }
Packed pack_whole(std::span<const Group> groups) { return lay_out(groups, true); }

void keep_targets(Packed& packed, const std::vector<std::uint8_t>& learnt) {
  TORCH_CHECK(static_cast<std::int64_t>(learnt.size()) == packed.targets.size(0),
              "a mark for each target");
  Ids rows, targets;
  std::size_t n = 0;
  for (auto& length : packed.lengths) {
    std::int64_t kept = 0;
    for (std::int64_t t = 0; t < length; ++t, ++n) {
      if (!learnt[n]) continue;
      rows.push_back(packed.rows.const_data_ptr<std::int64_t>()[n]);
      targets.push_back(packed.targets.const_data_ptr<std::int64_t>()[n]);
      ++kept;
    }
    length = kept;
  }
  packed.rows = to_tensor(rows);
  packed.targets = to_tensor(targets);
}

namespace {

Packed lay_out(std::span<const Group> groups, bool whole) {
  Packed packed;
  Ids ids, positions, rows, targets, last;
  for (const auto& group : groups) {
    if (group.prompt.empty()) throw Error(Code::Invalid, "a prompt must have at least one token");
    const auto P = static_cast<std::int64_t>(group.prompt.size());
    Segment segment{static_cast<std::int64_t>(ids.size()), P, {}};
    ids.insert(ids.end(), group.prompt.begin(), group.prompt.end());
    for (std::int64_t i = 0; i < P; ++i) positions.push_back(i);
    for (const auto& response : group.responses) {
      if (response.empty()) throw Error(Code::Invalid, "a response must have at least one token");
      const auto R = static_cast<std::int64_t>(response.size());
      rows.push_back(segment.start + P -
                     1);  // the prompt's last row foretells each response's first token
      const auto seen = whole ? R : R - 1;
      for (std::int64_t i = 0; i < seen; ++i) {
        if (i + 1 < R) rows.push_back(static_cast<std::int64_t>(ids.size()));
        ids.push_back(response[static_cast<std::size_t>(i)]);
        positions.push_back(P + i);
      }
      last.push_back(static_cast<std::int64_t>(ids.size()) - 1);
      targets.insert(targets.end(), response.begin(), response.end());
      segment.responses.push_back(seen);
      packed.lengths.push_back(R);
    }
    packed.segments.push_back(std::move(segment));
  }
  packed.ids = to_tensor(ids);
  packed.positions = to_tensor(positions);
  packed.rows = to_tensor(rows);
  packed.targets = to_tensor(targets);
  if (whole) packed.last = to_tensor(last);
  return packed;
}

}  // namespace

at::Tensor final_rows(const Model& model, const Packed& packed, ScoreTrace* trace) {
  const auto x = forward(model, packed.ids, packed.positions, packed.segments,
                         trace ? &trace->trunk : nullptr);
  const auto hidden = at::index_select(x, 0, packed.rows.to(x.device()));  // [N,C]
  if (trace) trace->hidden = hidden;
  return rms_norm(hidden, model.norm.value, model.config.rms_norm_eps,
                  trace ? &trace->rstd : nullptr, model.output().input_type());
}

void final_rows_backward(Model& model, const Packed& packed, const at::Tensor& dnormed,
                         ScoreTrace trace) {
  auto dhidden = at::zeros_like(trace.hidden);
  rms_norm_backward(dnormed, trace.hidden, model.norm.value, trace.rstd, dhidden, model.norm.grad);
  auto dx = at::zeros({packed.ids.size(0), model.config.hidden_size}, dhidden.options());
  dx.index_add_(0, packed.rows.to(dx.device()), dhidden);
  backward(model, packed.ids, packed.positions, packed.segments, std::move(trace.trunk), dx);
}

at::Tensor response_logprobs(const Model& model, const Packed& packed, const HeadOptions& options,
                             ScoreTrace* trace, at::Tensor* entropy, at::Tensor* likeliest) {
  auto out = token_logprobs(final_rows(model, packed, trace), model.output().operand(),
                            packed.targets.to(model.device()), options,
                            trace ? &trace->head : nullptr, entropy, likeliest);
  if (entropy) *entropy = entropy->cpu();
  if (likeliest) *likeliest = likeliest->cpu();
  return out.cpu();
}

void response_logprobs_backward(Model& model, const Packed& packed, const at::Tensor& dlogprobs,
                                const HeadOptions& options, ScoreTrace trace,
                                const at::Tensor& dentropy) {
  auto& output = model.output();
  const auto device = model.device();
  const auto dnormed =
      token_logprobs_backward(dlogprobs.to(device), output.operand(), output.grad, options,
                              trace.head, dentropy.defined() ? dentropy.to(device) : dentropy);
  final_rows_backward(model, packed, dnormed, std::move(trace));
}

at::Tensor sum_by_response(const at::Tensor& values, const Packed& packed) {
  const auto count = static_cast<std::int64_t>(packed.lengths.size());
  auto out = at::empty({count}, values.options());
  by_real(values, [&]<class Real> {
    const Real* v = values.const_data_ptr<Real>();
    Real* o = out.data_ptr<Real>();
    for (std::int64_t i = 0; i < count; ++i) {
      double sum = 0;  // f64: a long response sums hundreds of terms
      for (std::int64_t t = 0; t < packed.lengths[static_cast<std::size_t>(i)]; ++t) sum += *v++;
      o[i] = static_cast<Real>(sum);
    }
  });
  return out;
}

at::Tensor spread_over_tokens(const at::Tensor& per_response, const Packed& packed) {
  auto out = at::empty({packed.targets.size(0)}, per_response.options());
  by_real(per_response, [&]<class Real> {
    const Real* p = per_response.const_data_ptr<Real>();
    Real* o = out.data_ptr<Real>();
    for (std::size_t i = 0; i < packed.lengths.size(); ++i) {
      std::fill_n(o, packed.lengths[i], p[i]);
      o += packed.lengths[i];
    }
  });
  return out;
}

}  // namespace hone::rl
