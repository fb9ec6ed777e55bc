#include "rl/ops/cuda/common.cuh"

namespace hone::rl::cuda {
namespace {

constexpr int kWarps = 8;
constexpr int kBlock = 512;  // numbers that are summed before their sums are: as on the CPU
constexpr int kMine = kBlock / 32;

std::int64_t blocks_of(std::int64_t V) { return (V + kBlock - 1) / kBlock; }

/// Of each block of a row of logits: the largest, where it first stands, and the sum of
/// e^((logit - largest) / temperature), NaN where a logit is.
struct Blocks {
  float *largest, *sum;  // [B, blocks]
  int* first;
};

/// A warp a block.
__global__ void sum_blocks(const float* logits, const Row* rows, Blocks out, std::int64_t V,
                           int blocks) {
  let_next_start();
  wait_for_kernel_before();
  const std::int64_t b = blockIdx.y;
  const int lane = threadIdx.x % 32, s = blockIdx.x * kWarps + threadIdx.x / 32;
  if (rows[b].slot < 0 || s >= blocks) return;
  const float temperature = rows[b].temperature,
              scale = temperature == 0 ? 1.0f : 1.0f / temperature;
  const float* row = logits + b * V;
  float x[kMine], largest = -INFINITY;
  int first = 0;
  bool nan = false;
#pragma unroll
  for (int i = 0; i < kMine; ++i) {
    const std::int64_t v = static_cast<std::int64_t>(s) * kBlock + i * 32 + lane;
    x[i] = v < V ? row[v] : -INFINITY;
    nan = nan || isnan(x[i]);
    if (x[i] > largest) {
      largest = x[i];
      first = static_cast<int>(v);
    }
  }
  const float whole = warp_max(largest);
  first = largest == whole ? first : 0x7fffffff;
  for (int d = 16; d > 0; d /= 2) first = min(first, __shfl_xor_sync(0xffffffffu, first, d));
  float sum = nan ? NAN : 0.0f;
#pragma unroll
  for (int i = 0; i < kMine; ++i)
    if (x[i] > -INFINITY) sum += expf((x[i] - whole) * scale);
  sum = warp_sum(sum);
  if (lane != 0) return;
  const std::int64_t at = b * blocks + s;
  out.largest[at] = whole;
  out.sum[at] = sum;
  out.first[at] = first;
}

/// A warp a row: the block that the draw falls into, and in it the token.
__global__ void choose_rows(const float* logits, const Row* rows, Blocks in, std::int64_t* ids,
                            float* logprobs, std::int64_t V, int blocks) {
  let_next_start();
  wait_for_kernel_before();
  const std::int64_t b = blockIdx.x;
  const Row& r = rows[b];
  if (r.slot < 0) return;
  const int lane = threadIdx.x;
  const bool greedy = r.temperature == 0;
  const float scale = greedy ? 1.0f : 1.0f / r.temperature;
  const float *row = logits + b * V, *largest_of = in.largest + b * blocks,
              *sum_of = in.sum + b * blocks;
  const int* first_of = in.first + b * blocks;

  float largest = -INFINITY;
  for (int s = lane; s < blocks; s += 32) largest = fmaxf(largest, largest_of[s]);
  largest = warp_max(largest);
  const auto weight = [&](int s) -> double {
    return largest_of[s] > -INFINITY || isnan(sum_of[s])
               ? static_cast<double>(sum_of[s]) *
                     exp(static_cast<double>(largest_of[s] - largest) * scale)
               : 0.0;
  };
  // Blocks side by side for each lane, so that lanes' sums add up in the blocks' order.
  const int each = (blocks + 31) / 32, from = min(lane * each, blocks),
            to = min(from + each, blocks);
  double mine = 0;
  int likeliest = 0x7fffffff;
  for (int s = from; s < to; ++s) {
    mine += weight(s);
    if (largest_of[s] == largest) likeliest = min(likeliest, first_of[s]);
  }
  double before = 0, total = 0;  // of the lanes below, of all
  for (int other = 0; other < 32; ++other) {
    const double theirs = __shfl_sync(0xffffffffu, mine, other);
    if (other < lane) before += theirs;
    total += theirs;
  }
  std::int64_t id = V;
  if (greedy) {
    for (int d = 16; d > 0; d /= 2)
      likeliest = min(likeliest, __shfl_xor_sync(0xffffffffu, likeliest, d));
    id = likeliest;
  } else {
    // The first block whose end lies above the draw; rounding may leave none: then the last that
    // weighs anything.
    const double drawn = r.uniform * total;
    int block = blocks, last = -1;
    double start = 0, end = before, last_start = 0;
    for (int s = from; s < to; ++s) {
      const double w = weight(s);
      if (w <= 0) continue;
      last = s;
      last_start = end;
      if (block == blocks && drawn < end + w) {
        block = s;
        start = end;
      }
      end += w;
    }
    const unsigned found = __ballot_sync(0xffffffffu, block < blocks),
                   some = __ballot_sync(0xffffffffu, last >= 0);
    if (found) {
      block = __shfl_sync(0xffffffffu, block, __ffs(found) - 1);
      start = __shfl_sync(0xffffffffu, start, __ffs(found) - 1);
    } else if (some) {
      block = __shfl_sync(0xffffffffu, last, 31 - __clz(some));
      start = __shfl_sync(0xffffffffu, last_start, 31 - __clz(some));
    }
    if (block < blocks) {
      // In the block: 16 numbers a lane, in their order.
      const std::int64_t first = static_cast<std::int64_t>(block) * kBlock + lane * kMine;
      float weights[kMine];
      double in_lane = 0;
      for (int i = 0; i < kMine; ++i) {
        weights[i] = first + i < V ? expf((row[first + i] - largest) * scale) : 0.0f;
        in_lane += weights[i];
      }
      double until = start;
      for (int other = 0; other < 32; ++other) {
        const double theirs = __shfl_sync(0xffffffffu, in_lane, other);
        if (other < lane) until += theirs;
      }
      std::int64_t final = -1;
      for (int i = 0; i < kMine; ++i) {
        if (weights[i] <= 0) continue;
        until += weights[i];
        final = first + i;
        if (id == V && drawn < until) id = first + i;
      }
      for (int d = 16; d > 0; d /= 2) final = max(final, __shfl_xor_sync(0xffffffffu, final, d));
      for (int d = 16; d > 0; d /= 2) id = min(id, __shfl_xor_sync(0xffffffffu, id, d));
      if (id == V && final >= 0) id = final;
    }
  }
  if (lane != 0) return;
  const bool finite = isfinite(largest) && isfinite(total) && id < V;
  ids[b] = finite ? id : -1;
  logprobs[b] =
      finite ? static_cast<float>(static_cast<double>(row[id] - largest) * scale - log(total))
             : 0.0f;
}

}  // namespace

std::int64_t choose_scratch(std::int64_t B, std::int64_t V) { return 3 * B * blocks_of(V); }

void choose(const float* logits, const Row* rows, std::int64_t* ids, float* logprobs,
            float* scratch, std::int64_t B, std::int64_t V, Stream stream) {
  if (B == 0) return;
  const auto blocks = static_cast<int>(blocks_of(V));
  const Blocks parts{scratch, scratch + B * blocks,
                     reinterpret_cast<int*>(scratch + 2 * B * blocks)};
  start_early(sum_blocks, dim3(blocks_for(blocks, kWarps), static_cast<unsigned>(B)),
              dim3(32 * kWarps), 0, stream, logits, rows, parts, V, blocks);
  start_early(choose_rows, dim3(static_cast<unsigned>(B)), dim3(32), 0, stream, logits, rows, parts,
              ids, logprobs, V, blocks);
  check_launch("choose");
}

}  // namespace hone::rl::cuda
