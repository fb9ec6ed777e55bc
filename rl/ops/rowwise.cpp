#include "rl/ops/rowwise.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "rl/ops/by_real.h"
#include "rl/ops/cuda/ops.h"
#include "rl/ops/simd.h"

namespace hone::rl {
namespace {

// Numbers are stored as f32, f64 or bf16; sums of what bf16 stores are f32.
template <class Real, class Stored>
HONE_SIMD void norm_rows(const Real* x, const Real* w, Real eps, Stored* y, Real* rstd,
                         std::int64_t from, std::int64_t to, std::int64_t C) {
  for (std::int64_t t = from; t < to; ++t) {
    const Real* row = x + t * C;
    Real sum = 0;
    for (std::int64_t c = 0; c < C; ++c) sum += row[c] * row[c];
    const Real r = 1 / std::sqrt(sum / static_cast<Real>(C) + eps);
    if (rstd) rstd[t] = r;
    Stored* out = y + t * C;
    for (std::int64_t c = 0; c < C; ++c) store(out[c], row[c] * r * w[c]);
  }
}

template <class Real, class Stored>
HONE_SIMD void norm_rows_again(const Real* x, const Real* w, const Real* rstd, Stored* y,
                               std::int64_t from, std::int64_t to, std::int64_t C) {
  for (std::int64_t t = from; t < to; ++t) {
    const Real r = rstd[t];
    for (std::int64_t c = 0; c < C; ++c) store(y[t * C + c], x[t * C + c] * r * w[c]);
  }
}

template <class Real>
HONE_SIMD void norm_backward_rows(const Real* dy, const Real* x, const Real* w, const Real* rstd,
                                  Real* dx, std::int64_t from, std::int64_t to, std::int64_t C) {
  for (std::int64_t t = from; t < to; ++t) {
    const Real *d = dy + t * C, *in = x + t * C;
    Real dot = 0;
    for (std::int64_t c = 0; c < C; ++c) dot += d[c] * w[c] * in[c];
    const Real r = rstd[t];
    const Real pull = dot * r * r * r / static_cast<Real>(C);
    Real* out = dx + t * C;
    for (std::int64_t c = 0; c < C; ++c) out[c] += d[c] * w[c] * r - in[c] * pull;
  }
}

// Split by columns, so that each weight's sum over rows has one order whatever the threads.
template <class Real>
HONE_SIMD void norm_backward_weight(const Real* dy, const Real* x, const Real* rstd, Real* dw,
                                    std::int64_t T, std::int64_t C, std::int64_t from,
                                    std::int64_t to) {
  for (std::int64_t t = 0; t < T; ++t) {
    const Real r = rstd[t];
    for (std::int64_t c = from; c < to; ++c) dw[c] += dy[t * C + c] * x[t * C + c] * r;
  }
}

template <class Stored>
HONE_SIMD void swiglu_rows(const Stored* gate_up, Stored* act, std::int64_t from, std::int64_t to,
                           std::int64_t F) {
  for (std::int64_t t = from; t < to; ++t) {
    const Stored *g = gate_up + 2 * t * F, *u = g + F;
    Stored* out = act + t * F;
    for (std::int64_t f = 0; f < F; ++f) {
      const auto gate = number(g[f]);
      store(out[f], gate / (1 + fast_exp(-gate)) * number(u[f]));
    }
  }
}

template <class Stored>
HONE_SIMD void swiglu_backward_rows(const Stored* dact, Stored* gate_up, Stored* act,
                                    std::int64_t from, std::int64_t to, std::int64_t F) {
  for (std::int64_t t = from; t < to; ++t) {
    Stored *g = gate_up + 2 * t * F, *u = g + F;
    const Stored* upstream = dact + t * F;
    Stored* out = act + t * F;
    // The four rows lie apart, which the compiler cannot see.
#pragma GCC ivdep
    for (std::int64_t f = 0; f < F; ++f) {
      const auto gate = number(g[f]), up = number(u[f]), d = number(upstream[f]);
      const auto s = 1 / (1 + fast_exp(-gate));
      const auto silu = gate * s;
      store(out[f], silu * up);
      store(u[f], d * silu);
      store(g[f], d * up * (s + silu * (1 - s)));  // silu' = s + x s (1 - s)
    }
  }
}

// The tables are f32 whatever the rows are: their rounding is part of the model.
template <class Real>
HONE_SIMD void turn_rows(Real* x, const std::int64_t* positions, const float* cosines,
                         const float* sines, Real sign, std::int64_t from, std::int64_t to,
                         std::int64_t stride, std::int64_t heads, std::int64_t half) {
  for (std::int64_t t = from; t < to; ++t) {
    const float *cosine = cosines + positions[t] * half, *sine = sines + positions[t] * half;
    for (std::int64_t h = 0; h < heads; ++h) {
      Real *a = x + t * stride + h * 2 * half, *b = a + half;
      for (std::int64_t i = 0; i < half; ++i) {
        const Real first = a[i], second = b[i], s = sign * sine[i];
        a[i] = first * cosine[i] - second * s;
        b[i] = second * cosine[i] + first * s;
      }
    }
  }
}

constexpr std::int64_t kRowsPerTask = 16;
constexpr std::int64_t kColumnsPerTask = 64;

/// Where the numbers of t begin, as they are stored.
template <class Stored>
Stored* rows_of(const at::Tensor& t) {
  return static_cast<Stored*>(const_cast<void*>(t.const_data_ptr()));
}

/// Calls `op` with how t's numbers are stored.
template <class Op>
void by_stored(const at::Tensor& t, Op&& op) {
  if (t.scalar_type() == at::kBFloat16)
    op.template operator()<Bf16>();
  else
    by_real(t, op);
}

bool rounded(const at::Tensor& t) { return t.scalar_type() == at::kBFloat16; }

/// The norm's result: rounded where that is asked for, else as x is.
at::Tensor empty_normed(const at::Tensor& x, at::ScalarType type) {
  return at::empty(x.sizes(), x.options().dtype(type == at::kBFloat16 ? type : x.scalar_type()));
}

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps, at::Tensor* rstd,
                    at::ScalarType type) {
  if (x.is_cuda()) return cuda::rms_norm(x, weight, eps, rstd, type);
  const std::int64_t T = x.size(0), C = x.size(1);
  auto y = empty_normed(x, type);
  if (rstd) *rstd = at::empty({T}, x.options());
  by_real(x, [&]<class Real> {
    const Real *in = x.const_data_ptr<Real>(), *w = weight.const_data_ptr<Real>();
    Real* r = rstd ? rstd->data_ptr<Real>() : nullptr;
    at::parallel_for(0, T, kRowsPerTask, [&](std::int64_t from, std::int64_t to) {
      if (rounded(y))
        norm_rows(in, w, static_cast<Real>(eps), rows_of<Bf16>(y), r, from, to, C);
      else
        norm_rows(in, w, static_cast<Real>(eps), rows_of<Real>(y), r, from, to, C);
    });
  });
  return y;
}

at::Tensor rms_norm_again(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& rstd,
                          at::ScalarType type) {
  if (x.is_cuda()) return cuda::rms_norm_again(x, weight, rstd, type);
  const std::int64_t T = x.size(0), C = x.size(1);
  auto y = empty_normed(x, type);
  by_real(x, [&]<class Real> {
    const Real *in = x.const_data_ptr<Real>(), *w = weight.const_data_ptr<Real>(),
               *r = rstd.const_data_ptr<Real>();
    at::parallel_for(0, T, kRowsPerTask, [&](std::int64_t from, std::int64_t to) {
      if (rounded(y))
        norm_rows_again(in, w, r, rows_of<Bf16>(y), from, to, C);
      else
        norm_rows_again(in, w, r, rows_of<Real>(y), from, to, C);
    });
  });
  return y;
}

void rms_norm_backward(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight,
                       const at::Tensor& rstd, at::Tensor dx, at::Tensor dweight) {
  if (x.is_cuda()) return cuda::rms_norm_backward(dy, x, weight, rstd, dx, dweight);
  const std::int64_t T = x.size(0), C = x.size(1);
  by_real(x, [&]<class Real> {
    const Real *d = dy.const_data_ptr<Real>(), *in = x.const_data_ptr<Real>(),
               *w = weight.const_data_ptr<Real>(), *r = rstd.const_data_ptr<Real>();
    Real* out = dx.data_ptr<Real>();
    at::parallel_for(0, T, kRowsPerTask, [&](std::int64_t from, std::int64_t to) {
      norm_backward_rows(d, in, w, r, out, from, to, C);
    });
    if (!dweight.defined()) return;
    Real* dw = dweight.data_ptr<Real>();
    at::parallel_for(0, C, kColumnsPerTask, [&](std::int64_t from, std::int64_t to) {
      norm_backward_weight(d, in, r, dw, T, C, from, to);
    });
  });
}

at::Tensor swiglu(const at::Tensor& gate_up) {
  if (gate_up.is_cuda()) return cuda::swiglu(gate_up);
  const std::int64_t T = gate_up.size(0), F = gate_up.size(1) / 2;
  auto act = at::empty({T, F}, gate_up.options());
  // A decode step's few rows are worth sharing too: an exponential each number.
  const std::int64_t rows = std::max<std::int64_t>(1, 4096 / std::max<std::int64_t>(F, 1));
  by_stored(gate_up, [&]<class Stored> {
    at::parallel_for(0, T, std::min(rows, kRowsPerTask), [&](std::int64_t from, std::int64_t to) {
      swiglu_rows(rows_of<const Stored>(gate_up), rows_of<Stored>(act), from, to, F);
    });
  });
  return act;
}

at::Tensor swiglu_backward(const at::Tensor& dact, at::Tensor gate_up) {
  if (gate_up.is_cuda()) return cuda::swiglu_backward(dact, gate_up);
  const std::int64_t T = gate_up.size(0), F = gate_up.size(1) / 2;
  auto act = at::empty({T, F}, gate_up.options());
  TORCH_CHECK(dact.scalar_type() == gate_up.scalar_type(), "gradient and input of one type");
  by_stored(gate_up, [&]<class Stored> {
    at::parallel_for(0, T, kRowsPerTask, [&](std::int64_t from, std::int64_t to) {
      swiglu_backward_rows(rows_of<const Stored>(dact), rows_of<Stored>(gate_up),
                           rows_of<Stored>(act), from, to, F);
    });
  });
  return act;
}

namespace {

/// YaRN (Peng et al. 2023, arXiv:2309.00071, section 3.2; transformers, _compute_yarn_parameters):
/// how far dimension i of [D/2] is stretched, 0 not at all to 1 in full.
double yarn_ramp(const RopeScaling& s, double theta, std::int64_t head_dim, std::int64_t i) {
  const auto dimension_of = [&](double rotations) {
    return static_cast<double>(head_dim) *
           std::log(static_cast<double>(s.original_max_position_embeddings) /
                    (rotations * 2 * std::numbers::pi)) /
           (2 * std::log(theta));
  };
  double low = dimension_of(s.beta_fast), high = dimension_of(s.beta_slow);
  if (s.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, static_cast<double>(head_dim - 1));
  if (low == high) high += 0.001;
  return std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
}

}  // namespace

Rope::Rope(const ModelConfig& config) : head_dim_(config.head_dim) {
  const auto& scaling = config.rope_scaling;
  if (scaling.type == "yarn") factor_ = scaling.attention_factor;
  for (std::int64_t i = 0; i < head_dim_ / 2; ++i) {
    const double exponent = 2.0 * static_cast<double>(i) / static_cast<double>(head_dim_);
    double f = 1.0 / static_cast<float>(std::pow(config.rope_theta, exponent));
    if (scaling.type == "linear") f /= scaling.factor;
    if (scaling.type == "yarn") {
      const double ramp = yarn_ramp(scaling, config.rope_theta, head_dim_, i);
      f = f / scaling.factor * ramp + f * (1 - ramp);
    }
    if (scaling.type == "llama3") {
      // Llama 3.1's rule by wavelength: short waves stay, long ones are stretched, a ramp between.
      const auto original = static_cast<double>(scaling.original_max_position_embeddings);
      const double wavelength = 2.0 * std::numbers::pi / f;
      if (wavelength > original / scaling.low_freq_factor) {
        f /= scaling.factor;
      } else if (wavelength >= original / scaling.high_freq_factor) {
        const double smooth = (original / wavelength - scaling.low_freq_factor) /
                              (scaling.high_freq_factor - scaling.low_freq_factor);
        f = (1 - smooth) * f / scaling.factor + smooth * f;
      }
    }
    inverse_frequencies_.push_back(static_cast<float>(f));
  }
}

void Rope::grow(std::int64_t positions) const {
  const std::int64_t half = head_dim_ / 2;
  auto have = static_cast<std::int64_t>(cosines_.size()) / half;
  if (have >= positions) return;
  positions = std::max(positions, 2 * have);
  cosines_.resize(static_cast<std::size_t>(positions * half));
  sines_.resize(static_cast<std::size_t>(positions * half));
  for (; have < positions; ++have) {
    for (std::int64_t i = 0; i < half; ++i) {
      // The angle is rounded to f32 first, as transformers does: parity, not accuracy, decides
      // here.
      const float angle =
          static_cast<float>(have) * inverse_frequencies_[static_cast<std::size_t>(i)];
      cosines_[static_cast<std::size_t>(have * half + i)] =
          static_cast<float>(factor_ * std::cos(static_cast<double>(angle)));
      sines_[static_cast<std::size_t>(have * half + i)] =
          static_cast<float>(factor_ * std::sin(static_cast<double>(angle)));
    }
  }
}

void Rope::turn(at::Tensor x, const at::Tensor& positions, std::int64_t heads,
                int direction) const {
  const std::int64_t T = x.size(0), stride = x.stride(0);
  if (T == 0) return;
  if (x.is_cuda()) {
    if (!on_device_.defined()) {
      auto frequencies = at::empty({head_dim_ / 2}, at::kFloat);
      std::ranges::copy(inverse_frequencies_, frequencies.data_ptr<float>());
      on_device_ = frequencies.to(x.device());
    }
    return cuda::turn(x, positions, on_device_, factor_, heads, direction);
  }
  const auto* where = positions.const_data_ptr<std::int64_t>();
  std::int64_t last = 0;
  for (std::int64_t t = 0; t < T; ++t) last = std::max(last, where[t]);
  grow(last + 1);
  by_real(x, [&]<class Real> {
    Real* data = x.data_ptr<Real>();
    at::parallel_for(0, T, kRowsPerTask, [&](std::int64_t from, std::int64_t to) {
      turn_rows(data, where, cosines_.data(), sines_.data(), static_cast<Real>(direction), from, to,
                stride, heads, head_dim_ / 2);
    });
  });
}

}  // namespace hone::rl
