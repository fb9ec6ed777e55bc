#include <algorithm>

#include "rl/ops/cuda/common.cuh"

namespace hone::rl::cuda {
namespace {

constexpr int kThreads = 256;

/// A block a row. V numbers at a time: 4, or 1 where rows are no multiple of it.
template <class Y, int V>
__global__ void norm_rows(const float* x, const float* w, float eps, Y* y, float* rstd, bool again,
                          std::int64_t C) {
  let_next_start();
  wait_for_kernel_before();
  const std::int64_t t = blockIdx.x;
  const float* row = x + t * C;
  Y* out = y + t * C;
  float r;
  if (again) {
    r = rstd[t];
  } else {
    float sum = 0;
    for (std::int64_t c = threadIdx.x * V; c < C; c += blockDim.x * V) {
      if constexpr (V == 4) {
        const Four f = get4(row + c);
        for (float v : f.x) sum += v * v;
      } else {
        sum += row[c] * row[c];
      }
    }
    r = 1.0f / sqrtf(block_sum(sum) / static_cast<float>(C) + eps);
    if (rstd && threadIdx.x == 0) rstd[t] = r;
  }
  for (std::int64_t c = threadIdx.x * V; c < C; c += blockDim.x * V) {
    if constexpr (V == 4) {
      Four f = get4(row + c);
      const Four weight = get4(w + c);
      for (int i = 0; i < 4; ++i) f.x[i] *= r * weight.x[i];
      put4(out + c, f);
    } else {
      put(out, c, row[c] * r * w[c]);
    }
  }
}

/// Each block takes every gridDim-th row; a thread's columns are its own, so dw needs no barrier.
template <class Dy>
__global__ void norm_backward_rows(const Dy* dy, const float* x, const float* w, const float* rstd,
                                   float* dx, float* dw, std::int64_t T, std::int64_t C) {
  extern __shared__ float share[];  // [C], of the weight's gradient
  if (dw)
    for (std::int64_t c = threadIdx.x; c < C; c += blockDim.x) share[c] = 0;
  for (std::int64_t t = blockIdx.x; t < T; t += gridDim.x) {
    const Dy* d = dy + t * C;
    const float* in = x + t * C;
    float dot = 0;
    for (std::int64_t c = threadIdx.x; c < C; c += blockDim.x) dot += get(d, c) * w[c] * in[c];
    const float r = rstd[t], pull = block_sum(dot) * r * r * r / static_cast<float>(C);
    float* out = dx + t * C;
    for (std::int64_t c = threadIdx.x; c < C; c += blockDim.x) {
      const float g = get(d, c);
      out[c] += g * w[c] * r - in[c] * pull;
      if (dw) share[c] += g * in[c] * r;
    }
  }
  if (dw)
    for (std::int64_t c = threadIdx.x; c < C; c += blockDim.x)
      dw[static_cast<std::int64_t>(blockIdx.x) * C + c] = share[c];
}

__device__ inline float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

template <class T, int V>
__global__ void swiglu_rows(const T* gate_up, T* act, std::int64_t rows, std::int64_t F) {
  let_next_start();
  wait_for_kernel_before();
  const std::int64_t at = (static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * V;
  if (at >= rows * F) return;
  const std::int64_t t = at / F, f = at % F;
  const T *g = gate_up + 2 * t * F + f, *u = g + F;
  if constexpr (V == 4) {
    const Four gate = get4(g), up = get4(u);
    Four out;
    for (int i = 0; i < 4; ++i) out.x[i] = gate.x[i] * sigmoid(gate.x[i]) * up.x[i];
    put4(act + at, out);
  } else {
    const float gate = get(g, 0);
    put(act, at, gate * sigmoid(gate) * get(u, 0));
  }
}

template <class T, int V>
__global__ void swiglu_backward_rows(const T* dact, T* gate_up, T* act, std::int64_t rows,
                                     std::int64_t F) {
  const std::int64_t at = (static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * V;
  if (at >= rows * F) return;
  const std::int64_t t = at / F, f = at % F;
  T *g = gate_up + 2 * t * F + f, *u = g + F;
  Four gate, up, d, out;
  if constexpr (V == 4) {
    gate = get4(g), up = get4(u), d = get4(dact + at);
  } else {
    gate.x[0] = get(g, 0), up.x[0] = get(u, 0), d.x[0] = get(dact, at);
  }
  for (int i = 0; i < V; ++i) {
    const float s = sigmoid(gate.x[i]), silu = gate.x[i] * s;
    out.x[i] = silu * up.x[i];
    gate.x[i] = d.x[i] * up.x[i] * (s + silu * (1.0f - s));  // silu' = s + x s (1 - s)
    up.x[i] = d.x[i] * silu;
  }
  if constexpr (V == 4) {
    put4(g, gate), put4(u, up), put4(act + at, out);
  } else {
    put(g, 0, gate.x[0]), put(u, 0, up.x[0]), put(act, at, out.x[0]);
  }
}

/// A block a row: the angles once, then all heads.
template <class T>
__global__ void turn_rows(T* x, const std::int64_t* positions, const float* f, float factor,
                          float sign, std::int64_t stride, std::int64_t heads, std::int64_t half) {
  let_next_start();
  wait_for_kernel_before();
  extern __shared__ float angles[];  // [half] cosines, [half] sines
  const std::int64_t t = blockIdx.x;
  const auto position = static_cast<float>(positions[t]);
  for (std::int64_t i = threadIdx.x; i < half; i += blockDim.x) {
    // Rounded to f32 before the cosine, as the CPU's and transformers' are.
    const float angle = __fmul_rn(position, f[i]);
    angles[i] = factor * cosf(angle);
    angles[half + i] = sign * factor * sinf(angle);
  }
  __syncthreads();
  for (std::int64_t n = threadIdx.x; n < heads * half; n += blockDim.x) {
    const std::int64_t h = n / half, i = n % half;
    T *a = x + t * stride + h * 2 * half + i, *b = a + half;
    const float first = get(a, 0), second = get(b, 0);
    put(a, 0, first * angles[i] - second * angles[half + i]);
    put(b, 0, second * angles[i] + first * angles[half + i]);
  }
}

/// A warp a head.
template <class T>
__global__ void head_norm_rows(T* qkv, const float* qw, const float* kw, float eps, float* rstd,
                               std::int64_t rows, std::int64_t stride, std::int64_t q_heads,
                               std::int64_t heads, std::int64_t dim) {
  const std::int64_t n =
      static_cast<std::int64_t>(blockIdx.x) * (blockDim.x / 32) + threadIdx.x / 32;
  if (n >= rows * heads) return;
  const int lane = threadIdx.x % 32;
  const std::int64_t t = n / heads, h = n % heads;
  T* x = qkv + t * stride + h * dim;
  const float* w = h < q_heads ? qw : kw;
  float sum = 0;
  for (std::int64_t d = lane; d < dim; d += 32) sum += get(x, d) * get(x, d);
  const float r = 1.0f / sqrtf(warp_sum(sum) / static_cast<float>(dim) + eps);
  if (rstd && lane == 0) rstd[n] = r;
  for (std::int64_t d = lane; d < dim; d += 32) put(x, d, get(x, d) * r * w[d]);
}

template <class T>
__global__ void head_norm_backward_rows(T* dqkv, const T* qk, const float* qw, const float* kw,
                                        const float* rstd, std::int64_t rows, std::int64_t stride,
                                        std::int64_t q_heads, std::int64_t heads,
                                        std::int64_t dim) {
  const std::int64_t n =
      static_cast<std::int64_t>(blockIdx.x) * (blockDim.x / 32) + threadIdx.x / 32;
  if (n >= rows * heads) return;
  const int lane = threadIdx.x % 32;
  const std::int64_t t = n / heads, h = n % heads;
  T* dy = dqkv + t * stride + h * dim;
  const T* x = qk + n * dim;
  const float* w = h < q_heads ? qw : kw;
  float dot = 0;
  for (std::int64_t d = lane; d < dim; d += 32) dot += get(dy, d) * w[d] * get(x, d);
  const float r = rstd[n], pull = warp_sum(dot) * r * r * r / static_cast<float>(dim);
  for (std::int64_t d = lane; d < dim; d += 32)
    put(dy, d, get(dy, d) * w[d] * r - get(x, d) * pull);
}

constexpr int kHeadsPerBlock = 8;

}  // namespace

void norm(const float* x, const float* w, float eps, Numbers y, float* rstd, bool again,
          std::int64_t T, std::int64_t C, Stream stream) {
  if (T == 0) return;
  by_type(y.bf16, [&](auto* type) {
    using Y = std::remove_pointer_t<decltype(type)>;
    start_early(C % 4 == 0 ? norm_rows<Y, 4> : norm_rows<Y, 1>, dim3(static_cast<unsigned>(T)),
                dim3(kThreads), 0, stream, x, w, eps, static_cast<Y*>(y.data), rstd, again, C);
  });
  check_launch("norm");
}

int norm_blocks(std::int64_t T) { return static_cast<int>(std::min<std::int64_t>(T, 1024)); }

void norm_backward(Numbers dy, const float* x, const float* w, const float* rstd, float* dx,
                   float* dw, std::int64_t T, std::int64_t C, Stream stream) {
  if (T == 0) return;
  const std::size_t bytes = dw ? static_cast<std::size_t>(C) * sizeof(float) : 0;
  by_type(dy.bf16, [&](auto* type) {
    using Dy = std::remove_pointer_t<decltype(type)>;
    norm_backward_rows<Dy><<<norm_blocks(T), kThreads, bytes, stream>>>(
        static_cast<const Dy*>(dy.data), x, w, rstd, dx, dw, T, C);
  });
  check_launch("norm_backward");
}

void swiglu(Numbers gate_up, Numbers act, std::int64_t T, std::int64_t F, Stream stream) {
  if (T == 0) return;
  by_type(act.bf16, [&](auto* type) {
    using X = std::remove_pointer_t<decltype(type)>;
    const auto* in = static_cast<const X*>(gate_up.data);
    auto* out = static_cast<X*>(act.data);
    const int at_once = F % 4 == 0 ? 4 : 1;
    start_early(at_once == 4 ? swiglu_rows<X, 4> : swiglu_rows<X, 1>,
                dim3(blocks_for(T * F, at_once * kThreads)), dim3(kThreads), 0, stream, in, out, T,
                F);
  });
  check_launch("swiglu");
}

void swiglu_backward(Numbers dact, Numbers gate_up, Numbers act, std::int64_t T, std::int64_t F,
                     Stream stream) {
  if (T == 0) return;
  by_type(act.bf16, [&](auto* type) {
    using X = std::remove_pointer_t<decltype(type)>;
    const auto* d = static_cast<const X*>(dact.data);
    auto *in = static_cast<X*>(gate_up.data), *out = static_cast<X*>(act.data);
    if (F % 4 == 0)
      swiglu_backward_rows<X, 4>
          <<<blocks_for(T * F, 4 * kThreads), kThreads, 0, stream>>>(d, in, out, T, F);
    else
      swiglu_backward_rows<X, 1>
          <<<blocks_for(T * F, kThreads), kThreads, 0, stream>>>(d, in, out, T, F);
  });
  check_launch("swiglu_backward");
}

void turn(Numbers x, const std::int64_t* positions, const float* f, float factor, int direction,
          std::int64_t T, std::int64_t stride, std::int64_t heads, std::int64_t dim,
          Stream stream) {
  if (T == 0) return;
  by_type(x.bf16, [&](auto* type) {
    using X = std::remove_pointer_t<decltype(type)>;
    start_early(turn_rows<X>, dim3(static_cast<unsigned>(T)), dim3(kThreads),
                static_cast<std::size_t>(dim) * sizeof(float), stream, static_cast<X*>(x.data),
                positions, f, factor, static_cast<float>(direction), stride, heads, dim / 2);
  });
  check_launch("turn");
}

void head_norm(Numbers qkv, const float* q_weight, const float* k_weight, float eps, float* rstd,
               std::int64_t T, std::int64_t stride, std::int64_t q_heads, std::int64_t k_heads,
               std::int64_t dim, Stream stream) {
  if (T == 0) return;
  const std::int64_t heads = q_heads + k_heads;
  by_type(qkv.bf16, [&](auto* type) {
    using X = std::remove_pointer_t<decltype(type)>;
    head_norm_rows<X><<<blocks_for(T * heads, kHeadsPerBlock), 32 * kHeadsPerBlock, 0, stream>>>(
        static_cast<X*>(qkv.data), q_weight, k_weight, eps, rstd, T, stride, q_heads, heads, dim);
  });
  check_launch("head_norm");
}

void head_norm_backward(Numbers dqkv, Numbers qk, const float* q_weight, const float* k_weight,
                        const float* rstd, std::int64_t T, std::int64_t stride,
                        std::int64_t q_heads, std::int64_t k_heads, std::int64_t dim,
                        Stream stream) {
  if (T == 0) return;
  const std::int64_t heads = q_heads + k_heads;
  by_type(dqkv.bf16, [&](auto* type) {
    using X = std::remove_pointer_t<decltype(type)>;
    head_norm_backward_rows<X>
        <<<blocks_for(T * heads, kHeadsPerBlock), 32 * kHeadsPerBlock, 0, stream>>>(
            static_cast<X*>(dqkv.data), static_cast<const X*>(qk.data), q_weight, k_weight, rstd, T,
            stride, q_heads, heads, dim);
  });
  check_launch("head_norm_backward");
}

}  // namespace hone::rl::cuda
