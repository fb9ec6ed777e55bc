#include "rl/ops/cuda/common.cuh"

namespace hone::rl::cuda {
namespace {

constexpr int kWarps = 8;
constexpr int kRowsAWarp = 2;  // of w at once, which share what is read of x

__device__ inline void add_products(float& sum, const uint4& a, const uint4& b) {
  const unsigned x[4] = {a.x, a.y, a.z, a.w}, y[4] = {b.x, b.y, b.z, b.w};
  for (int i = 0; i < 4; ++i) {
    sum = fmaf(__uint_as_float(x[i] << 16), __uint_as_float(y[i] << 16), sum);
    sum = fmaf(__uint_as_float(x[i] & 0xffff0000u), __uint_as_float(y[i] & 0xffff0000u), sum);
  }
}

template <int M>
__global__ void products(const Bf16* x, const Bf16* w, const float* base, Bf16* y16, float* y32,
                         std::int64_t n, std::int64_t k) {
  const int lane = threadIdx.x % 32;
  const std::int64_t first =
      (static_cast<std::int64_t>(blockIdx.x) * kWarps + threadIdx.x / 32) * kRowsAWarp;
  if (first >= n) return;
  const bool both = first + 1 < n;
  const Bf16 *w0 = w + first * k, *w1 = both ? w0 + k : w0;
  float sum[kRowsAWarp][M] = {};
#pragma unroll 4
  for (std::int64_t i = lane * 8; i < k; i += 256) {
    const uint4 a = *reinterpret_cast<const uint4*>(w0 + i),
                b = *reinterpret_cast<const uint4*>(w1 + i);
#pragma unroll
    for (int m = 0; m < M; ++m) {
      const uint4 in = *reinterpret_cast<const uint4*>(x + m * k + i);
      add_products(sum[0][m], in, a);
      add_products(sum[1][m], in, b);
    }
  }
#pragma unroll
  for (int r = 0; r < kRowsAWarp; ++r)
#pragma unroll
    for (int m = 0; m < M; ++m) {
      const float whole = warp_sum(sum[r][m]);
      if (lane != 0 || (r == 1 && !both)) continue;
      const std::int64_t at = m * n + first + r;
      if (base)
        y32[at] = base[at] + __bfloat162float(__float2bfloat16(whole));
      else if (y32)
        y32[at] = whole;
      else
        y16[at] = __float2bfloat16(whole);
    }
}

}  // namespace

void few_rows(const void* x, const void* w, const float* base, Numbers y, std::int64_t m,
              std::int64_t n, std::int64_t k, Stream stream) {
  const auto launch = [&](auto kernel) {
    kernel<<<blocks_for(n, kWarps * kRowsAWarp), 32 * kWarps, 0, stream>>>(
        static_cast<const Bf16*>(x), static_cast<const Bf16*>(w), base,
        y.bf16 ? static_cast<Bf16*>(y.data) : nullptr,
        y.bf16 ? nullptr : static_cast<float*>(y.data), n, k);
  };
  if (m == 1)
    launch(products<1>);
  else if (m == 2)
    launch(products<2>);
  else if (m == 3)
    launch(products<3>);
  else
    launch(products<4>);
  check_launch("few_rows");
}

}  // namespace hone::rl::cuda
