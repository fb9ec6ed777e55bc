#include "rl/ops/cuda/common.cuh"

namespace hone::rl::cuda {
namespace {

constexpr int kWarps = 8;
constexpr int kThreads = 32 * kWarps;
constexpr std::size_t kMostShared = 48 << 10;  // of a block, where nobody asks for more

__device__ inline void add_products(float& sum, const uint4& a, const uint4& b) {
  const unsigned x[4] = {a.x, a.y, a.z, a.w}, y[4] = {b.x, b.y, b.z, b.w};
  for (int i = 0; i < 4; ++i) {
    sum = fmaf(__uint_as_float(x[i] << 16), __uint_as_float(y[i] << 16), sum);
    sum = fmaf(__uint_as_float(x[i] & 0xffff0000u), __uint_as_float(y[i] & 0xffff0000u), sum);
  }
}

__device__ inline float rounded(float x) { return __bfloat162float(__float2bfloat16(x)); }

struct Product {
  const Bf16 *x, *w;
  const float *x32, *norm;  // where a norm comes first: of x32, by its weight
  float eps;
  const float* base;
  Bf16* y16;
  float* y32;
  std::int64_t n, k;
  bool swiglu;
};

/// A block of what x [M,k] is after its norm, into shared memory.
template <int M>
__device__ void norm_into(const Product& p, Bf16* to) {
  for (int m = 0; m < M; ++m) {
    const float* row = p.x32 + m * p.k;
    float sum = 0;
    for (std::int64_t c = threadIdx.x * 4; c < p.k; c += kThreads * 4) {
      const Four f = get4(row + c);
      for (float v : f.x) sum += v * v;
    }
    const float r = 1.0f / sqrtf(block_sum(sum) / static_cast<float>(p.k) + p.eps);
    for (std::int64_t c = threadIdx.x * 4; c < p.k; c += kThreads * 4) {
      Four f = get4(row + c);
      const Four weight = get4(p.norm + c);
      for (int i = 0; i < 4; ++i) f.x[i] *= r * weight.x[i];
      put4(to + m * p.k + c, f);
    }
  }
  __syncthreads();
}

/// A warp takes R rows of w, which share what is read of x. What w holds of them is fetched ahead:
/// the first of it before the kernel in front of this one has ended.
template <int M, int R, bool kNormed>
__global__ void __launch_bounds__(kThreads) products(Product p) {
  extern __shared__ uint4 shared[];  // [M,k] bf16
  constexpr int kAhead = 8;
  const int lane = threadIdx.x % 32;
  const std::int64_t unit = static_cast<std::int64_t>(blockIdx.x) * kWarps + threadIdx.x / 32;
  // Gate and up of one number lie half of w apart.
  const std::int64_t first = p.swiglu ? unit : unit * R, step = p.swiglu ? p.n / 2 : 1;
  int mine = 0;  // rows of w
  if (p.swiglu)
    mine = unit < p.n / 2 ? R : 0;
  else
    while (mine < R && first + mine < p.n) ++mine;

  uint4 ahead[R][kAhead];
  const auto fetch = [&](std::int64_t from) {
#pragma unroll
    for (int a = 0; a < kAhead; ++a)
#pragma unroll
      for (int r = 0; r < R; ++r) {
        const std::int64_t i = from + a * 256 + lane * 8;
        ahead[r][a] =
            r < mine && i < p.k
                ? __ldcs(reinterpret_cast<const uint4*>(p.w + (first + r * step) * p.k + i))
                : make_uint4(0, 0, 0, 0);
      }
  };
  fetch(0);
  let_next_start();
  wait_for_kernel_before();
  const Bf16* x = p.x;
  if constexpr (kNormed) {
    norm_into<M>(p, reinterpret_cast<Bf16*>(shared));
    x = reinterpret_cast<const Bf16*>(shared);
  }

  float sum[R][M] = {};
  for (std::int64_t from = 0; from < p.k; from += kAhead * 256) {
    if (from > 0) fetch(from);
#pragma unroll
    for (int a = 0; a < kAhead; ++a) {
      const std::int64_t i = from + a * 256 + lane * 8;
      if (i >= p.k) continue;
#pragma unroll
      for (int m = 0; m < M; ++m) {
        const uint4 in = *reinterpret_cast<const uint4*>(x + m * p.k + i);
#pragma unroll
        for (int r = 0; r < R; ++r) add_products(sum[r][m], in, ahead[r][a]);
      }
    }
  }
#pragma unroll
  for (int r = 0; r < R; ++r)
#pragma unroll
    for (int m = 0; m < M; ++m) sum[r][m] = warp_sum(sum[r][m]);
  if (lane != 0 || mine == 0) return;
#pragma unroll
  for (int m = 0; m < M; ++m) {
    if constexpr (R == 2) {
      if (p.swiglu) {
        const float gate = rounded(sum[0][m]), up = rounded(sum[1][m]);
        p.y16[m * (p.n / 2) + unit] = __float2bfloat16(gate * (1.0f / (1.0f + expf(-gate))) * up);
        continue;
      }
    }
#pragma unroll
    for (int r = 0; r < R; ++r) {
      if (r >= mine) continue;
      const std::int64_t at = m * p.n + first + r;
      if (p.base)
        p.y32[at] = p.base[at] + sum[r][m];
      else if (p.y32)
        p.y32[at] = sum[r][m];
      else
        p.y16[at] = __float2bfloat16(sum[r][m]);
    }
  }
}

template <int M>
void start(const Product& p, Stream stream) {
  const std::size_t shared =
      p.norm ? static_cast<std::size_t>(M * p.k) * sizeof(Bf16) : std::size_t{0};
  const auto with = [&](auto kernel, int rows) {
    start_early(kernel, dim3(blocks_for(p.n, kWarps * rows)), dim3(kThreads), shared, stream, p);
  };
  // A row a warp where there are few of them: more warps, which together fetch more.
  const bool two = p.swiglu || p.n >= 8192;
  if (p.norm)
    two ? with(products<M, 2, true>, 2) : with(products<M, 1, true>, 1);
  else
    two ? with(products<M, 2, false>, 2) : with(products<M, 1, false>, 1);
}

void start(const Product& p, std::int64_t m, Stream stream) {
  if (m == 1)
    start<1>(p, stream);
  else if (m == 2)
    start<2>(p, stream);
  else if (m == 3)
    start<3>(p, stream);
  else
    start<4>(p, stream);
  check_launch("few_rows");
}

thread_local int early_starts = 0;

}  // namespace

EarlyStarts::EarlyStarts() { ++early_starts; }
EarlyStarts::~EarlyStarts() { --early_starts; }
bool EarlyStarts::now() {
  static const bool possible = [] {
    int device = 0, major = 0;
    cudaGetDevice(&device);
    cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device);
    return major >= 9;
  }();
  return possible && early_starts > 0;
}

void few_rows(const void* x, const void* w, const float* base, Numbers y, std::int64_t m,
              std::int64_t n, std::int64_t k, Stream stream) {
  Product p = {};
  p.x = static_cast<const Bf16*>(x);
  p.w = static_cast<const Bf16*>(w);
  p.base = base;
  p.y16 = y.bf16 ? static_cast<Bf16*>(y.data) : nullptr;
  p.y32 = y.bf16 ? nullptr : static_cast<float*>(y.data);
  p.n = n;
  p.k = k;
  start(p, m, stream);
}

bool few_normed_fits(std::int64_t m, std::int64_t k) {
  return m <= kFewRows && k % 8 == 0 &&
         static_cast<std::size_t>(m * k) * sizeof(Bf16) <= kMostShared;
}

void few_normed_rows(const float* x, const float* norm, float eps, const void* w, bool swiglu,
                     Numbers y, std::int64_t m, std::int64_t n, std::int64_t k, Stream stream) {
  Product p = {};
  p.x32 = x;
  p.norm = norm;
  p.eps = eps;
  p.w = static_cast<const Bf16*>(w);
  p.y16 = y.bf16 ? static_cast<Bf16*>(y.data) : nullptr;
  p.y32 = y.bf16 ? nullptr : static_cast<float*>(y.data);
  p.n = n;
  p.k = k;
  p.swiglu = swiglu;
  start(p, m, stream);
}

}  // namespace hone::rl::cuda
