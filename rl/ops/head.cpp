#include "rl/ops/head.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include <algorithm>
#include <cmath>

#include "rl/ops/by_real.h"
#include "rl/ops/cuda/device.h"
#include "rl/ops/cuda/ops.h"
#include "rl/ops/matmul.h"
#include "rl/ops/simd.h"

namespace hone::rl {
namespace {

/// log sum e^(row * scale): the largest first, as always, so that nothing overflows.
template <class Real>
HONE_SIMD Real row_lse(const Real* row, std::int64_t V, Real scale) {
  Real largest = row[0];
  for (std::int64_t v = 0; v < V; ++v) largest = row[v] > largest ? row[v] : largest;
  Real sum = 0;
  for (std::int64_t v = 0; v < V; ++v) sum += fast_exp((row[v] - largest) * scale);
  return largest * scale + std::log(sum);
}

/// H = -sum p log p = lse - sum p x, with p = e^(x - lse) and x = row * scale.
template <class Real>
HONE_SIMD Real row_entropy(const Real* row, std::int64_t V, Real scale, Real lse) {
  Real mean = 0;
  for (std::int64_t v = 0; v < V; ++v) {
    const Real below = row[v] * scale - lse;  // never above 0: sums of small numbers
    mean += fast_exp(below) * below;
  }
  return -mean;
}

/// Whether no token is likelier than the target.
template <class Real>
HONE_SIMD bool row_likeliest(const Real* row, std::int64_t V, std::int64_t target) {
  Real largest = row[0];
  for (std::int64_t v = 0; v < V; ++v) largest = row[v] > largest ? row[v] : largest;
  return row[target] == largest;
}

/// row becomes d logprob[target] / d logits: (1[v = target] - softmax(row * scale)) * scale *
/// upstream.
template <class Real>
HONE_SIMD void row_gradient(Real* row, std::int64_t V, Real scale, Real lse, Real upstream) {
  const Real factor = -upstream * scale;
  for (std::int64_t v = 0; v < V; ++v) row[v] = factor * fast_exp(row[v] * scale - lse);
}

/// The same with an entropy's gradient: dH / dlogits = -p (log p + H) * scale.
template <class Real>
HONE_SIMD void row_gradient_with_entropy(Real* row, std::int64_t V, Real scale, Real lse,
                                         Real upstream, Real entropy, Real dentropy) {
  for (std::int64_t v = 0; v < V; ++v) {
    const Real below = row[v] * scale - lse;
    row[v] = -scale * fast_exp(below) * (upstream + dentropy * (below + entropy));
  }
}

std::int64_t chunk_rows(std::int64_t V, const HeadOptions& options,
                        std::size_t number = sizeof(float)) {
  return std::max<std::int64_t>(1, options.logits_bytes / (V * static_cast<std::int64_t>(number)));
}

// The same on a device, where a kernel does all of a row at once.

at::Tensor device_logprobs(const at::Tensor& hidden, const at::Tensor& weight,
                           const at::Tensor& targets, const HeadOptions& options, HeadTrace* trace,
                           at::Tensor* entropy, at::Tensor* likeliest) {
  const std::int64_t N = hidden.size(0), V = weight.size(0), chunk = chunk_rows(V, options);
  const auto column = [&] { return at::empty({N}, hidden.options().dtype(at::kFloat)); };
  auto out = column(), lse = column(), entropies = column(), likely = column();
  at::Tensor logits;
  for (std::int64_t from = 0; from < N; from += chunk) {
    const std::int64_t n = std::min(chunk, N - from);
    logits = matmul_nt_f32(hidden.narrow(0, from, n), weight);  // [n,V]
    const auto rows = cuda::token_logprobs(logits, targets.narrow(0, from, n), options.temperature);
    out.narrow(0, from, n).copy_(rows.logprobs);
    lse.narrow(0, from, n).copy_(rows.lse);
    entropies.narrow(0, from, n).copy_(rows.entropy);
    likely.narrow(0, from, n).copy_(rows.likeliest);
  }
  if (entropy) *entropy = entropies;
  if (likeliest) *likeliest = likely;
  if (trace)
    *trace = {hidden, targets, lse, N <= chunk ? logits : at::Tensor(),
              entropy ? entropies : at::Tensor()};
  return out;
}

at::Tensor device_logprobs_backward(const at::Tensor& dlogprobs, const at::Tensor& weight,
                                    at::Tensor dweight, const HeadOptions& options,
                                    HeadTrace& trace, const at::Tensor& dentropy) {
  const std::int64_t N = trace.hidden.size(0), V = weight.size(0), chunk = chunk_rows(V, options);
  auto dhidden = at::empty_like(trace.hidden);
  for (std::int64_t from = 0; from < N; from += chunk) {
    const std::int64_t n = std::min(chunk, N - from);
    const auto part = [&](const at::Tensor& t) {
      return t.defined() ? t.narrow(0, from, n) : at::Tensor();
    };
    const auto hidden = part(trace.hidden);
    const auto dlogits = cuda::token_logprobs_backward(
        trace.logits.defined() ? trace.logits : matmul_nt_f32(hidden, weight), part(trace.targets),
        options.temperature, part(trace.lse), part(dlogprobs), part(trace.entropy), part(dentropy),
        weight.scalar_type());
    trace.logits = at::Tensor();
    dhidden.narrow(0, from, n).copy_(matmul_nn(dlogits, weight));
    if (dweight.defined()) accumulate_tn(dweight, dlogits, hidden);
  }
  trace = {};
  return dhidden;
}

}  // namespace

std::int64_t logits_budget() {
  constexpr std::int64_t kOfMemory = std::int64_t{256} << 20;
  return compute_device().is_cuda() ? std::max(kOfMemory, cuda::total_memory() / 16) : kOfMemory;
}

at::Tensor token_logprobs(const at::Tensor& hidden, const at::Tensor& weight,
                          const at::Tensor& targets, const HeadOptions& options, HeadTrace* trace,
                          at::Tensor* entropy, at::Tensor* likeliest) {
  if (hidden.is_cuda())
    return device_logprobs(hidden, weight, targets, options, trace, entropy, likeliest);
  const std::int64_t N = hidden.size(0), V = weight.size(0),
                     chunk = chunk_rows(V, options, hidden.element_size());
  auto out = at::empty({N}, hidden.options());
  auto lse = at::empty({N}, hidden.options());
  if (entropy) *entropy = at::empty({N}, hidden.options());
  if (likeliest) *likeliest = at::empty({N}, hidden.options());
  at::Tensor logits;
  for (std::int64_t from = 0; from < N; from += chunk) {
    const std::int64_t n = std::min(chunk, N - from);
    logits = matmul_nt(hidden.narrow(0, from, n), weight);  // [n,V]
    const auto* target = targets.const_data_ptr<std::int64_t>() + from;
    by_real(logits, [&]<class Real> {
      const auto scale = static_cast<Real>(1.0 / options.temperature);
      const Real* rows = logits.const_data_ptr<Real>();
      Real *l = lse.data_ptr<Real>() + from, *o = out.data_ptr<Real>() + from,
           *e = entropy ? entropy->data_ptr<Real>() + from : nullptr,
           *best = likeliest ? likeliest->data_ptr<Real>() + from : nullptr;
      at::parallel_for(0, n, 1, [&](std::int64_t a, std::int64_t b) {
        for (std::int64_t i = a; i < b; ++i) {
          l[i] = row_lse(rows + i * V, V, scale);
          o[i] = rows[i * V + target[i]] * scale - l[i];
          if (e) e[i] = row_entropy(rows + i * V, V, scale, l[i]);
          if (best) best[i] = row_likeliest(rows + i * V, V, target[i]) ? 1 : 0;
        }
      });
    });
  }
  if (trace)
    *trace = {hidden, targets, lse, N <= chunk ? logits : at::Tensor(),
              entropy ? *entropy : at::Tensor()};
  return out;
}

at::Tensor token_logprobs_backward(const at::Tensor& dlogprobs, const at::Tensor& weight,
                                   at::Tensor dweight, const HeadOptions& options, HeadTrace& trace,
                                   const at::Tensor& dentropy) {
  TORCH_CHECK(!dentropy.defined() || trace.entropy.defined(),
              "the entropy's gradient needs a forward pass that was asked for the entropy");
  if (trace.hidden.is_cuda())
    return device_logprobs_backward(dlogprobs, weight, dweight, options, trace, dentropy);
  const std::int64_t N = trace.hidden.size(0), V = weight.size(0),
                     chunk = chunk_rows(V, options, trace.hidden.element_size());
  auto dhidden = at::empty_like(trace.hidden);
  for (std::int64_t from = 0; from < N; from += chunk) {
    const std::int64_t n = std::min(chunk, N - from);
    const auto hidden = trace.hidden.narrow(0, from, n);
    auto logits = trace.logits.defined() ? trace.logits : matmul_nt(hidden, weight);
    const auto* target = trace.targets.const_data_ptr<std::int64_t>() + from;
    by_real(logits, [&]<class Real> {
      const auto scale = static_cast<Real>(1.0 / options.temperature);
      Real* rows = logits.data_ptr<Real>();
      const Real *l = trace.lse.const_data_ptr<Real>() + from,
                 *d = dlogprobs.const_data_ptr<Real>() + from,
                 *h = dentropy.defined() ? trace.entropy.const_data_ptr<Real>() + from : nullptr,
                 *dh = dentropy.defined() ? dentropy.const_data_ptr<Real>() + from : nullptr;
      at::parallel_for(0, n, 1, [&](std::int64_t a, std::int64_t b) {
        for (std::int64_t i = a; i < b; ++i) {
          if (dh)
            row_gradient_with_entropy(rows + i * V, V, scale, l[i], d[i], h[i], dh[i]);
          else
            row_gradient(rows + i * V, V, scale, l[i], d[i]);
          rows[i * V + target[i]] += d[i] * scale;
        }
      });
    });
    dhidden.narrow(0, from, n).copy_(matmul_nn(logits, weight));
    if (dweight.defined()) accumulate_tn(dweight, logits, hidden);
  }
  trace = {};
  return dhidden;
}

}  // namespace hone::rl
