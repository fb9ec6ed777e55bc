#include "rl/ops/head_norm.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <cmath>

#include "rl/ops/by_real.h"
#include "rl/ops/cuda/ops.h"
#include "rl/ops/simd.h"

namespace hone::rl {
namespace {

constexpr std::int64_t kRowsPerTask = 16;

template <class Real>
HONE_SIMD Real norm_head(Real* x, const Real* w, std::int64_t D, Real eps) {
  Real sum = 0;
  for (std::int64_t d = 0; d < D; ++d) sum += x[d] * x[d];
  const Real r = 1 / std::sqrt(sum / static_cast<Real>(D) + eps);
  for (std::int64_t d = 0; d < D; ++d) x[d] = x[d] * r * w[d];
  return r;
}

template <class Real>
HONE_SIMD void norm_head_backward(Real* dy, const Real* x, const Real* w, Real r, std::int64_t D) {
  Real dot = 0;
  for (std::int64_t d = 0; d < D; ++d) dot += dy[d] * w[d] * x[d];
  const Real pull = dot * r * r * r / static_cast<Real>(D);
  for (std::int64_t d = 0; d < D; ++d) dy[d] = dy[d] * w[d] * r - x[d] * pull;
}

template <class Real>
HONE_SIMD void add_weight_gradient(const Real* dy, const Real* x, Real r, Real* dw,
                                   std::int64_t D) {
  for (std::int64_t d = 0; d < D; ++d) dw[d] += dy[d] * x[d] * r;
}

}  // namespace

void head_norm(at::Tensor qkv, const at::Tensor& q_weight, const at::Tensor& k_weight,
               const HeadShape& s, double eps, HeadNormTrace* trace) {
  if (qkv.is_cuda()) return cuda::head_norm(qkv, q_weight, k_weight, s, eps, trace);
  const std::int64_t T = qkv.size(0), row = qkv.size(1), D = s.dim, N = s.heads + s.kv_heads;
  if (trace) {
    // A copy always: contiguous() of a single row would be a view of what changes below.
    trace->qk = qkv.narrow(1, 0, N * D).clone(at::MemoryFormat::Contiguous);
    trace->rstd = at::empty({T, N}, qkv.options());
  }
  by_real(qkv, [&]<class Real> {
    const Real *qw = q_weight.const_data_ptr<Real>(), *kw = k_weight.const_data_ptr<Real>();
    Real *x = qkv.data_ptr<Real>(), *rstd = trace ? trace->rstd.data_ptr<Real>() : nullptr;
    at::parallel_for(0, T, kRowsPerTask, [&](std::int64_t from, std::int64_t to) {
      for (std::int64_t t = from; t < to; ++t) {
        for (std::int64_t n = 0; n < N; ++n) {
          const Real r =
              norm_head(x + t * row + n * D, n < s.heads ? qw : kw, D, static_cast<Real>(eps));
          if (rstd) rstd[t * N + n] = r;
        }
      }
    });
  });
}

void head_norm_backward(at::Tensor dqkv, const at::Tensor& q_weight, const at::Tensor& k_weight,
                        const HeadShape& s, const HeadNormTrace& trace, at::Tensor dq_weight,
                        at::Tensor dk_weight) {
  if (dqkv.is_cuda())
    return cuda::head_norm_backward(dqkv, q_weight, k_weight, s, trace, dq_weight, dk_weight);
  const std::int64_t T = dqkv.size(0), row = dqkv.size(1), D = s.dim, N = s.heads + s.kv_heads;
  by_real(dqkv, [&]<class Real> {
    Real* dx = dqkv.data_ptr<Real>();
    const Real *x = trace.qk.const_data_ptr<Real>(), *rstd = trace.rstd.const_data_ptr<Real>();
    // The weights first, since the gradient is overwritten; one thread, so that the sum has one
    // order.
    const auto weight_gradient = [&](at::Tensor dw, std::int64_t first, std::int64_t last) {
      if (!dw.defined()) return;
      for (std::int64_t t = 0; t < T; ++t)
        for (std::int64_t n = first; n < last; ++n)
          add_weight_gradient(dx + t * row + n * D, x + (t * N + n) * D, rstd[t * N + n],
                              dw.data_ptr<Real>(), D);
    };
    weight_gradient(dq_weight, 0, s.heads);
    weight_gradient(dk_weight, s.heads, N);
    const Real *qw = q_weight.const_data_ptr<Real>(), *kw = k_weight.const_data_ptr<Real>();
    at::parallel_for(0, T, kRowsPerTask, [&](std::int64_t from, std::int64_t to) {
      for (std::int64_t t = from; t < to; ++t)
        for (std::int64_t n = 0; n < N; ++n)
          norm_head_backward(dx + t * row + n * D, x + (t * N + n) * D, n < s.heads ? qw : kw,
                             rstd[t * N + n], D);
    });
  });
}

}  // namespace hone::rl
