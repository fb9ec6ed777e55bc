#include "rl/ops/cuda/common.cuh"

namespace hone::rl::cuda {
namespace {

constexpr int kThreads = 512;
constexpr int kBlock = 512;  // numbers that are summed before their sums are: as on the CPU

__device__ inline float block_max(float x) {
  __shared__ float of_warps[32];
  x = warp_max(x);
  if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = x;
  __syncthreads();
  x = warp_max(threadIdx.x % 32 < blockDim.x / 32 ? of_warps[threadIdx.x % 32] : -INFINITY);
  __syncthreads();
  return x;
}

/// A block a row: the largest, sums of blocks, the block that the draw falls into, and in it the
/// token.
__global__ void choose_rows(const float* logits, const Row* rows, std::int64_t* ids,
                            float* logprobs, std::int64_t V) {
  extern __shared__ float sums[];  // [blocks of V]
  const std::int64_t b = blockIdx.x;
  const Row& r = rows[b];
  if (r.slot < 0) return;
  const float* row = logits + b * V;
  const bool greedy = r.temperature == 0;
  const float scale = greedy ? 1.0f : 1.0f / r.temperature;
  const int blocks = static_cast<int>((V + kBlock - 1) / kBlock);
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;

  float largest = -INFINITY;
  bool finite = true;
  for (std::int64_t v = threadIdx.x; v < V; v += kThreads) {
    largest = fmaxf(largest, row[v]);  // passes over a NaN
    finite = finite && !isnan(row[v]);
  }
  largest = block_max(largest);
  finite = __syncthreads_and(finite) != 0 && isfinite(largest);

  for (int s = warp; s < blocks; s += kThreads / 32) {
    float sum = 0;
    for (std::int64_t v = static_cast<std::int64_t>(s) * kBlock + lane;
         v < V && v < static_cast<std::int64_t>(s + 1) * kBlock; v += 32)
      sum += expf((row[v] - largest) * scale);
    sum = warp_sum(sum);
    if (lane == 0) sums[s] = sum;
  }
  __shared__ unsigned long long likeliest;  // the lowest id of the largest
  if (threadIdx.x == 0) likeliest = static_cast<unsigned long long>(V);
  __syncthreads();
  if (greedy)
    for (std::int64_t v = threadIdx.x; v < V; v += kThreads)
      if (row[v] == largest) atomicMin(&likeliest, static_cast<unsigned long long>(v));
  __syncthreads();
  if (warp != 0) return;

  double total = 0;
  for (int s = 0; s < blocks; ++s) total += sums[s];  // alike in every lane
  std::int64_t id = V;
  if (greedy) {
    id = static_cast<std::int64_t>(likeliest);
  } else {
    double left = r.uniform * total;
    int s = 0;
    while (s + 1 < blocks && left >= sums[s]) left -= sums[s++];
    // In the block: 16 numbers a lane, in their order.
    constexpr int kMine = kBlock / 32;
    const std::int64_t first = static_cast<std::int64_t>(s) * kBlock + lane * kMine;
    float weights[kMine];
    double mine = 0;
    for (int i = 0; i < kMine; ++i) {
      weights[i] = first + i < V ? expf((row[first + i] - largest) * scale) : 0.0f;
      mine += weights[i];
    }
    double before = 0;  // the lanes' below
    for (int other = 0; other < 32; ++other) {
      const double theirs = __shfl_sync(0xffffffffu, mine, other);
      if (other < lane) before += theirs;
    }
    // The first number whose end lies above the draw; rounding may leave none: then the last that
    // weighs anything.
    double end = before;
    std::int64_t last = -1;
    for (int i = 0; i < kMine; ++i) {
      if (weights[i] <= 0) continue;
      end += weights[i];
      last = first + i;
      if (id == V && left < end) id = first + i;
    }
    for (int d = 16; d > 0; d /= 2) last = max(last, __shfl_xor_sync(0xffffffffu, last, d));
    for (int d = 16; d > 0; d /= 2) id = min(id, __shfl_xor_sync(0xffffffffu, id, d));
    if (id == V) id = last >= 0 ? last : static_cast<std::int64_t>(s) * kBlock;
  }
  if (lane != 0) return;
  finite = finite && isfinite(total) && id < V;
  ids[b] = finite ? id : -1;
  logprobs[b] =
      finite ? static_cast<float>(static_cast<double>(row[id] - largest) * scale - log(total))
             : 0.0f;
}

}  // namespace

void choose(const float* logits, const Row* rows, std::int64_t* ids, float* logprobs,
            std::int64_t B, std::int64_t V, Stream stream) {
  if (B == 0) return;
  const std::size_t bytes = static_cast<std::size_t>((V + kBlock - 1) / kBlock) * sizeof(float);
  choose_rows<<<static_cast<unsigned>(B), kThreads, bytes, stream>>>(logits, rows, ids, logprobs,
                                                                     V);
  check_launch("choose");
}

}  // namespace hone::rl::cuda
