// Decode attention in bf16 on tensor cores. The sixteen rows of a product are query heads that
// share a head of keys: those of one row, or of several rows that have one prompt, which is then
// read once for all of them. What is computed for rows that are none costs nothing that counts: the
// time goes into reading keys and values. They go from memory into registers just as mma.m16n8k16
// wants them: what a product's inner index counts is free, as long as both operands count alike,
// and so is the order of the output's columns.
#include "rl/ops/cuda/decode.cuh"

namespace hone::rl::cuda {
namespace {

constexpr int kWarps = 4;
constexpr int kThreads = 32 * kWarps;
constexpr int kRows = 16;    // of a product
constexpr int kHeads = 8;    // of a row at once
constexpr int kTile = 16;    // keys of a warp at once
constexpr int kAtOnce = 64;  // pieces that are merged at once

/// c [16,8] += a [16,16] b [16,8].
__device__ inline void multiply_add(float (&c)[4], const unsigned (&a)[4], unsigned b0,
                                    unsigned b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

__device__ inline unsigned two(float low, float high) {
  const __nv_bfloat162 both = __floats2bfloat162_rn(low, high);
  return *reinterpret_cast<const unsigned*>(&both);
}

/// The word that holds bf16 numbers 2i and 2i + 1 of eight.
__device__ inline unsigned word(const uint4& eight, int i) {
  return i == 0 ? eight.x : i == 1 ? eight.y : i == 2 ? eight.z : eight.w;
}

__device__ inline float quad_max(float x) {
  x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 1));
  return fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 2));
}
__device__ inline float quad_sum(float x) {
  x += __shfl_xor_sync(0xffffffffu, x, 1);
  return x + __shfl_xor_sync(0xffffffffu, x, 2);
}

/// What a part of a sum that is weighed by 2^part counts where the whole is weighed by 2^whole.
__device__ inline float share(float part, float whole) {
  return part > -INFINITY ? exp2f(part - whole) : 0.0f;
}

struct Decode {
  const Bf16* qkv;
  const Row* rows;
  Bf16* out;
  // [B, heads, pieces, dim], [B, heads, pieces] twice: sums, what they are weighed by, weights
  float *sums, *largest, *weights;
  int* tickets;  // [B, kv_heads]
  Cache cache;
  int first_head;                          // of each group of heads that shares one of keys
  int prompt_pieces, own_pieces, at_once;  // keys of a piece
};

/// The pieces of a row's keys that its query sees any of: of the prompt, then of its own.
struct Pieces {
  int prompt_first = 0, prompt_count = 0, own_first = 0, own_count = 0;
  std::int64_t seen = 0;  // the first key that is seen
  __device__ Pieces(const Row& r, std::int64_t window, int at_once) {
    const std::int64_t P = r.prompt_tokens, length = P + r.own_tokens;
    seen = window > 0 && length > window ? length - window : 0;
    if (seen < P) {
      prompt_first = static_cast<int>(seen / at_once);
      prompt_count = static_cast<int>((P - 1) / at_once) - prompt_first + 1;
    }
    own_first = static_cast<int>((seen > P ? seen - P : 0) / at_once);
    own_count = (r.own_tokens - 1) / at_once - own_first + 1;
  }
  __device__ int count() const { return prompt_count + own_count; }
  /// Where piece i stands among a row's places: the prompt's first.
  __device__ int place(int i, int prompt_pieces) const {
    return i < prompt_count ? prompt_first + i : prompt_pieces + own_first + i - prompt_count;
  }
};

/// The last block of a row and head of keys puts the pieces together.
template <int D>
__device__ void merge(const Decode& d, const Pieces& pieces, std::int64_t first, int G) {
  constexpr int kMine = kHeads * D / kThreads;
  __shared__ float largest[kHeads][kAtOnce], weight[kHeads][kAtOnce];
  const int places = d.prompt_pieces + d.own_pieces;
  float sum[kMine] = {}, weights[kMine] = {}, above[kMine];
#pragma unroll
  for (int k = 0; k < kMine; ++k) above[k] = -INFINITY;
  for (int from = 0; from < pieces.count(); from += kAtOnce) {
    const int count = min(kAtOnce, pieces.count() - from);
    __syncthreads();
    for (int n = threadIdx.x; n < G * count; n += kThreads) {
      const std::int64_t at =
          (first + n / count) * places + pieces.place(from + n % count, d.prompt_pieces);
      largest[n / count][n % count] = __ldcg(d.largest + at);
      weight[n / count][n % count] = __ldcg(d.weights + at);
    }
    __syncthreads();
#pragma unroll
    for (int k = 0; k < kMine; ++k) {
      const int n = static_cast<int>(threadIdx.x) + k * kThreads, g = n / D;
      if (g >= G) continue;
      const float before = above[k];
      for (int i = 0; i < count; ++i) above[k] = fmaxf(above[k], largest[g][i]);
      sum[k] *= share(before, above[k]);
      weights[k] *= share(before, above[k]);
#pragma unroll 4
      for (int i = 0; i < count; ++i) {
        const float part = share(largest[g][i], above[k]);
        const std::int64_t at = (first + g) * places + pieces.place(from + i, d.prompt_pieces);
        weights[k] += weight[g][i] * part;
        sum[k] += __ldcg(d.sums + at * D + n % D) * part;
      }
    }
  }
#pragma unroll
  for (int k = 0; k < kMine; ++k) {
    const int n = static_cast<int>(threadIdx.x) + k * kThreads;
    if (n / D < G) put(d.out, first * D + n, sum[k] / weights[k]);
  }
}

/// A block: one head of keys, a piece of a prompt's or of a row's own, a quarter of it each warp.
template <int D>
__global__ void __launch_bounds__(kThreads, D == 64 ? 4 : 2) decode_rows(Decode d) {
  constexpr int kParts = D / 32;   // pieces of 16 bytes of a key that each of four lanes takes
  constexpr int kHalves = D / 64;  // pieces of 16 bytes of a value that each of eight lanes takes
  let_next_start();
  wait_for_kernel_before();
  const Cache& c = d.cache;
  const std::int64_t b = blockIdx.x, kv = blockIdx.y, width = (c.heads + 2 * c.kv_heads) * D;
  const int place = blockIdx.z, group = static_cast<int>(c.heads / c.kv_heads),
            G = min(group - d.first_head, kHeads);
  const std::int64_t head0 = kv * group + d.first_head;
  const Row& r = d.rows[b];
  if (r.slot < 0) {
    if (place == 0)
      for (int n = threadIdx.x; n < G * D; n += kThreads)
        put(d.out, (b * c.heads + head0) * D + n, 0.0f);
    return;
  }
  const Pieces mine(r, c.window, d.at_once);
  const bool of_prompt = place < d.prompt_pieces;
  const int R = of_prompt ? r.together : 1;  // rows of the batch
  const int piece = of_prompt ? place : place - d.prompt_pieces,
            of_first = of_prompt ? mine.prompt_first : mine.own_first,
            of_count = of_prompt ? mine.prompt_count : mine.own_count;
  if (R == 0 || piece < of_first || piece >= of_first + of_count) return;

  // [tokens, dim] of keys, and of values behind them.
  const std::int64_t P = r.prompt_tokens, tokens = of_prompt ? P : r.own_tokens,
                     apart = (of_prompt ? P : c.capacity) * D;
  Bf16* own = static_cast<Bf16*>(c.own) +
              ((c.layer * c.slots + r.slot) * c.kv_heads + kv) * 2 * c.capacity * D;
  const Bf16* keys =
      of_prompt ? static_cast<const Bf16*>(r.prompt) + (c.layer * c.kv_heads + kv) * 2 * P * D
                : own;
  if (!of_prompt && d.first_head == 0 && piece == of_first + of_count - 1) {
    const Bf16* fresh = d.qkv + b * width + (c.heads + kv) * D;
    for (int n = threadIdx.x; n < 2 * D; n += kThreads)
      own[n / D * apart + (tokens - 1) * D + n % D] = fresh[n / D * c.kv_heads * D + n % D];
    __syncthreads();
  }
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, quad = lane / 4, t = lane % 4;

  // The lane's two rows of the product, quad and quad + 8: of each 32 numbers of their queries it
  // has eight, as it has of each key.
  uint4 q[2][kParts];
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const int m = quad + 8 * i;
    const bool some = m < R * G;
    const Bf16* query = d.qkv + (b + m / G) * width + (head0 + m % G) * D + 8 * t;
#pragma unroll
    for (int j = 0; j < kParts; ++j)
      q[i][j] = some ? *reinterpret_cast<const uint4*>(query + 32 * j) : make_uint4(0, 0, 0, 0);
  }
  const float scale = 1.4426950408889634f * rsqrtf(static_cast<float>(D));

  const std::int64_t unseen = of_prompt ? mine.seen : mine.seen - P;
  const int quarter = d.at_once / kWarps,
            from = static_cast<int>(
                max(static_cast<std::int64_t>(piece) * d.at_once + warp * quarter, unseen)),
            to = static_cast<int>(
                min(static_cast<std::int64_t>(piece) * d.at_once + (warp + 1) * quarter, tokens));
  const Bf16 *my_keys = keys + 8 * t, *my_values = keys + apart + 8 * quad;
  uint4 k[2][kParts];   // keys 8n + quad of a tile
  uint4 v[4][kHalves];  // keys 2t, 2t + 1, 2t + 8, 2t + 9 of it
  const auto fetch_keys = [&](int at) {
#pragma unroll
    for (int n = 0; n < 2; ++n)
#pragma unroll
      for (int j = 0; j < kParts; ++j) {
        const int i = at + 8 * n + quad;
        k[n][j] = i < to ? *reinterpret_cast<const uint4*>(
                               my_keys + static_cast<std::int64_t>(i) * D + 32 * j)
                         : make_uint4(0, 0, 0, 0);
      }
  };
  const auto fetch_values = [&](int at) {
#pragma unroll
    for (int x = 0; x < 4; ++x)
#pragma unroll
      for (int h = 0; h < kHalves; ++h) {
        const int i = at + 2 * t + x % 2 + x / 2 * 8;
        v[x][h] = i < to ? *reinterpret_cast<const uint4*>(
                               my_values + static_cast<std::int64_t>(i) * D + 64 * h)
                         : make_uint4(0, 0, 0, 0);
      }
  };

  float sum[kHalves][8][4] = {};  // of numbers 64 h + 16 t + 8 e + j: [h][j][e], [h][j][2 + e]
  float largest[2] = {-INFINITY, -INFINITY}, weight[2] = {0, 0};  // the weight: the lane's share
  fetch_keys(from);
  fetch_values(from);
  for (int at = from; at < to; at += kTile) {
    float p[2][4] = {};  // of keys 8n + 2t + e: [n][e], [n][2 + e]
#pragma unroll
    for (int n = 0; n < 2; ++n)
#pragma unroll
      for (int j = 0; j < kParts; ++j) {
        multiply_add(p[n], {q[0][j].x, q[1][j].x, q[0][j].y, q[1][j].y}, k[n][j].x, k[n][j].y);
        multiply_add(p[n], {q[0][j].z, q[1][j].z, q[0][j].w, q[1][j].w}, k[n][j].z, k[n][j].w);
      }
    if (at + kTile < to) fetch_keys(at + kTile);
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      float above = largest[i];
#pragma unroll
      for (int n = 0; n < 2; ++n)
#pragma unroll
        for (int e = 0; e < 2; ++e) {
          float& x = p[n][2 * i + e];
          x = at + 8 * n + 2 * t + e < to ? x * scale : -INFINITY;
          above = fmaxf(above, x);
        }
      above = quad_max(above);
      const float shrink = share(largest[i], above);
      largest[i] = above;
      weight[i] *= shrink;
#pragma unroll
      for (int n = 0; n < 2; ++n)
#pragma unroll
        for (int e = 0; e < 2; ++e) {
          float& x = p[n][2 * i + e];
          x = exp2f(x - above);
          weight[i] += x;
        }
#pragma unroll
      for (int h = 0; h < kHalves; ++h)
#pragma unroll
        for (int j = 0; j < 8; ++j) {
          sum[h][j][2 * i] *= shrink;
          sum[h][j][2 * i + 1] *= shrink;
        }
    }
    const unsigned a[4] = {two(p[0][0], p[0][1]), two(p[0][2], p[0][3]), two(p[1][0], p[1][1]),
                           two(p[1][2], p[1][3])};
#pragma unroll
    for (int h = 0; h < kHalves; ++h)
#pragma unroll
      for (int j = 0; j < 8; ++j) {
        const unsigned half = j % 2 == 0 ? 0x5410 : 0x7632;  // the low or the high bf16 of both
        multiply_add(sum[h][j], a, __byte_perm(word(v[0][h], j / 2), word(v[1][h], j / 2), half),
                     __byte_perm(word(v[2][h], j / 2), word(v[3][h], j / 2), half));
      }
    if (at + kTile < to) fetch_values(at + kTile);
  }

  // Four warps' parts become the block's.
  __shared__ float sums[kWarps][kRows][D + 8], largests[kWarps][kRows], weights[kWarps][kRows];
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const int m = quad + 8 * i;
    const float whole = quad_sum(weight[i]);
    if (m >= R * G) continue;
#pragma unroll
    for (int h = 0; h < kHalves; ++h)
#pragma unroll
      for (int e = 0; e < 2; ++e)
#pragma unroll
        for (int j = 0; j < 8; ++j)
          sums[warp][m][64 * h + 16 * t + 8 * e + j] = sum[h][j][2 * i + e];
    if (t == 0) {
      largests[warp][m] = largest[i];
      weights[warp][m] = whole;
    }
  }
  __syncthreads();
  const int places = d.prompt_pieces + d.own_pieces;
  for (int n = threadIdx.x; n < R * G * D; n += kThreads) {
    const int m = n / D;
    float above = -INFINITY, numbers = 0, together = 0;
    for (int w = 0; w < kWarps; ++w) above = fmaxf(above, largests[w][m]);
    for (int w = 0; w < kWarps; ++w) {
      const float part = share(largests[w][m], above);
      together += weights[w][m] * part;
      numbers += sums[w][m][n % D] * part;
    }
    const std::int64_t at = ((b + m / G) * c.heads + head0 + m % G) * places + place;
    d.sums[at * D + n % D] = numbers;
    if (n % D == 0) {
      d.largest[at] = above;
      d.weights[at] = together;
    }
  }

  __threadfence();
  __syncthreads();
  __shared__ bool last[kRows];
  if (threadIdx.x < R) {
    int* ticket = d.tickets + (b + threadIdx.x) * c.kv_heads + kv;
    const int all = Pieces(d.rows[b + threadIdx.x], c.window, d.at_once).count();
    last[threadIdx.x] = atomicAdd(ticket, 1) == all - 1;
    if (last[threadIdx.x]) *ticket = 0;
  }
  __syncthreads();
  __threadfence();
  for (int i = 0; i < R; ++i)
    if (last[i])
      merge<D>(d, Pieces(d.rows[b + i], c.window, d.at_once), (b + i) * c.heads + head0, G);
}

/// How a batch's keys are cut: enough blocks for every processor, of at least a tile for each warp.
struct Cut {
  int at_once = 256, prompt_pieces = 0, own_pieces = 0;
  Cut(const Cache& c, const DecodeSize& size) {
    const auto pieces = [&](std::int64_t tokens) {
      return static_cast<int>((tokens + at_once - 1) / at_once);
    };
    constexpr std::int64_t kEnough = 264;
    while (at_once > kWarps * kTile &&
           size.rows * c.kv_heads * (pieces(size.prompt_tokens) + pieces(size.own_tokens)) <
               kEnough)
      at_once /= 2;
    prompt_pieces = pieces(size.prompt_tokens);
    own_pieces = pieces(size.own_tokens);
  }
  std::int64_t parts(const Cache& c, const DecodeSize& size) const {
    return size.rows * c.heads * (prompt_pieces + own_pieces);
  }
};

}  // namespace

int decode_mma_together(const Cache& c) {
  // Under a window rows of one prompt see other parts of it.
  return c.window > 0
             ? 1
             : kRows / static_cast<int>(std::min<std::int64_t>(c.heads / c.kv_heads, kHeads));
}

std::int64_t decode_mma_scratch(const Cache& c, const DecodeSize& size) {
  return Cut(c, size).parts(c, size) * (c.dim + 2);
}

void decode_mma(Numbers qkv, const Row* rows, const Cache& c, Numbers out, float* scratch,
                int* tickets, const DecodeSize& size, Stream stream) {
  const Cut cut(c, size);
  const std::int64_t parts = cut.parts(c, size);
  Decode d{static_cast<const Bf16*>(qkv.data),
           rows,
           static_cast<Bf16*>(out.data),
           scratch,
           scratch + parts * c.dim,
           scratch + parts * (c.dim + 1),
           tickets,
           c,
           0,
           cut.prompt_pieces,
           cut.own_pieces,
           cut.at_once};
  const dim3 grid(static_cast<unsigned>(size.rows), static_cast<unsigned>(c.kv_heads),
                  static_cast<unsigned>(cut.prompt_pieces + cut.own_pieces));
  for (; d.first_head < c.heads / c.kv_heads; d.first_head += kHeads)
    start_early(c.dim == 64 ? decode_rows<64> : decode_rows<128>, grid, dim3(kThreads), 0, stream,
                d);
  check_launch("decode_mma");
}

}  // namespace hone::rl::cuda
