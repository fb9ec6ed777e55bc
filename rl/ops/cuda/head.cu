#include "rl/ops/cuda/common.cuh"

namespace hone::rl::cuda {
namespace {

constexpr int kThreads = 512;

/// Of some of a row's numbers x: the largest, and of e^(x - largest) the sum and the sum times
/// (x - largest).
struct Sums {
  float largest, weight, mean;
};

__device__ inline Sums merge(const Sums& a, const Sums& b) {
  const float m = fmaxf(a.largest, b.largest);
  if (m == -INFINITY) return {m, 0, 0};
  const auto moved = [m](const Sums& s) -> Sums {
    if (s.largest == -INFINITY) return {m, 0, 0};
    const float by = s.largest - m, e = expf(by);
    return {m, s.weight * e, (s.mean + s.weight * by) * e};
  };
  const Sums x = moved(a), y = moved(b);
  return {m, x.weight + y.weight, x.mean + y.mean};
}

__device__ inline void take(Sums& s, float x) {
  if (x > s.largest) {
    const float by = s.largest - x, e = expf(by);
    s.mean = s.largest == -INFINITY ? 0.0f : (s.mean + s.weight * by) * e;
    s.weight = s.weight * e + 1.0f;
    s.largest = x;
  } else {
    const float by = x - s.largest, e = expf(by);
    s.weight += e;
    s.mean += e * by;
  }
}

__global__ void logprob_rows(const float* logits, const std::int64_t* targets, float scale,
                             float* lse, float* logprobs, float* entropy, float* likeliest,
                             std::int64_t V) {
  const std::int64_t n = blockIdx.x;
  const float* row = logits + n * V;
  Sums s{-INFINITY, 0, 0};
  if (V % 4 == 0) {
    for (std::int64_t v = threadIdx.x * 4; v < V; v += kThreads * 4) {
      const Four f = get4(row + v);
      for (float x : f.x) take(s, x * scale);
    }
  } else {
    for (std::int64_t v = threadIdx.x; v < V; v += kThreads) take(s, row[v] * scale);
  }
  for (int d = 16; d > 0; d /= 2)
    s = merge(
        s, {__shfl_xor_sync(0xffffffffu, s.largest, d), __shfl_xor_sync(0xffffffffu, s.weight, d),
            __shfl_xor_sync(0xffffffffu, s.mean, d)});
  __shared__ Sums of_warps[kThreads / 32];
  if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = s;
  __syncthreads();
  if (threadIdx.x != 0) return;
  Sums all = of_warps[0];
  for (int w = 1; w < kThreads / 32; ++w) all = merge(all, of_warps[w]);
  const float log_weight = logf(all.weight), x = row[targets[n]] * scale;
  lse[n] = all.largest + log_weight;
  logprobs[n] = (x - all.largest) - log_weight;
  if (entropy) entropy[n] = log_weight - all.mean / all.weight;
  if (likeliest) likeliest[n] = x >= all.largest ? 1.0f : 0.0f;
}

/// d logprob[target] / d logits = (1[v = target] - p) * scale; dH / dlogits = -p (log p + H) scale.
template <class D, int V4>
__global__ void gradient_rows(const float* logits, D* dlogits, const std::int64_t* targets,
                              float scale, const float* lse, const float* dlogprobs,
                              const float* entropy, const float* dentropy, std::int64_t V) {
  const std::int64_t n = blockIdx.y,
                     v = (static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * V4;
  if (v >= V) return;
  const float up = dlogprobs[n], l = lse[n], h = dentropy ? entropy[n] : 0.0f,
              dh = dentropy ? dentropy[n] : 0.0f;
  const std::int64_t target = targets[n];
  const auto gradient = [&](float x, std::int64_t at) {
    const float below = x * scale - l;
    const float g = -scale * expf(below) * (up + dh * (below + h));
    return at == target ? g + up * scale : g;
  };
  if constexpr (V4 == 4) {
    Four f = get4(logits + n * V + v);
    for (int i = 0; i < 4; ++i) f.x[i] = gradient(f.x[i], v + i);
    put4(dlogits + n * V + v, f);
  } else {
    put(dlogits, n * V + v, gradient(logits[n * V + v], v));
  }
}

}  // namespace

void token_logprobs(const float* logits, const std::int64_t* targets, float scale, float* lse,
                    float* logprobs, float* entropy, float* likeliest, std::int64_t n,
                    std::int64_t V, Stream stream) {
  if (n == 0) return;
  logprob_rows<<<static_cast<unsigned>(n), kThreads, 0, stream>>>(logits, targets, scale, lse,
                                                                  logprobs, entropy, likeliest, V);
  check_launch("token_logprobs");
}

void token_logprobs_backward(const float* logits, Numbers dlogits, const std::int64_t* targets,
                             float scale, const float* lse, const float* dlogprobs,
                             const float* entropy, const float* dentropy, std::int64_t n,
                             std::int64_t V, Stream stream) {
  constexpr std::int64_t kRows = 32768;  // of a launch: a grid's second side ends at 65535
  for (std::int64_t from = 0; from < n; from += kRows) {
    const auto rows = static_cast<unsigned>(n - from < kRows ? n - from : kRows);
    by_type(dlogits.bf16, [&](auto* type) {
      using D = std::remove_pointer_t<decltype(type)>;
      auto* out = static_cast<D*>(dlogits.data) + from * V;
      const auto launch = [&](auto kernel, int at_once) {
        kernel<<<dim3(blocks_for(V, kThreads * at_once), rows), kThreads, 0, stream>>>(
            logits + from * V, out, targets + from, scale, lse + from, dlogprobs + from,
            entropy ? entropy + from : nullptr, dentropy ? dentropy + from : nullptr, V);
      };
      if (V % 4 == 0)
        launch(gradient_rows<D, 4>, 4);
      else
        launch(gradient_rows<D, 1>, 1);
    });
    check_launch("token_logprobs_backward");
  }
}

}  // namespace hone::rl::cuda
