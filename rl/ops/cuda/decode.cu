#include "rl/ops/cuda/common.cuh"

namespace hone::rl::cuda {
namespace {

constexpr int kKeys = 128;  // of a block of decode_rows, one for each thread
constexpr int kWarps = kKeys / 32;

template <class T>
__global__ void store_prompt_rows(const T* qkv, T* piece, std::int64_t heads, std::int64_t kv_heads,
                                  std::int64_t dim, std::int64_t capacity) {
  const std::int64_t t = blockIdx.x, row = (heads + 2 * kv_heads) * dim;
  for (std::int64_t n = threadIdx.x; n < 2 * kv_heads * dim; n += blockDim.x) {
    const std::int64_t which = n / (kv_heads * dim), h = n / dim % kv_heads, d = n % dim;
    piece[((h * 2 + which) * capacity + t) * dim + d] = qkv[t * row + heads * dim + n];
  }
}

template <class T>
__global__ void store_step_rows(const T* qkv, const Row* rows, T* own, std::int64_t layer,
                                std::int64_t slots, std::int64_t heads, std::int64_t kv_heads,
                                std::int64_t dim, std::int64_t capacity) {
  const std::int64_t b = blockIdx.x, row = (heads + 2 * kv_heads) * dim;
  const Row& r = rows[b];
  if (r.slot < 0) return;
  T* piece = own + (layer * slots + r.slot) * kv_heads * 2 * capacity * dim;
  for (std::int64_t n = threadIdx.x; n < 2 * kv_heads * dim; n += blockDim.x) {
    const std::int64_t which = n / (kv_heads * dim), h = n / dim % kv_heads, d = n % dim;
    piece[((h * 2 + which) * capacity + r.own_tokens - 1) * dim + d] =
        qkv[b * row + heads * dim + n];
  }
}

struct Partial {
  float *out, *largest, *weight;  // [B, heads, splits, dim], [B, heads, splits] twice
};

/// A block: one row, one head of keys, kKeys keys; its G query heads at once. N: dims / 64, up.
template <class T, int G, int N>
__global__ void decode_rows(const T* qkv, const Row* rows, const T* own, Cache c, Partial partial,
                            int first_head) {
  const int b = blockIdx.x, kv = blockIdx.y, split = blockIdx.z, splits = gridDim.z;
  const Row r = rows[b];
  const std::int64_t P = r.prompt_tokens, length = r.slot < 0 ? 0 : P + r.own_tokens,
                     from = static_cast<std::int64_t>(split) * kKeys;
  const std::int64_t group = c.heads / c.kv_heads, dim = c.dim;
  const std::int64_t head0 = kv * group + first_head;
  const std::int64_t at = (static_cast<std::int64_t>(b) * c.heads + head0) * splits + split;
  const std::int64_t seen = c.window > 0 && length > c.window ? length - c.window : 0;
  if (from >= length || from + kKeys <= seen) {
    if (threadIdx.x < G) {
      partial.largest[at + threadIdx.x * splits] = -INFINITY;
      partial.weight[at + threadIdx.x * splits] = 0;
    }
    return;
  }
  const T* prompt = static_cast<const T*>(r.prompt) +
                    (c.layer * c.kv_heads + kv) * 2 * P * dim;
  const T* mine = own + ((c.layer * c.slots + r.slot) * c.kv_heads + kv) * 2 * c.capacity * dim;
  const auto key_of = [&](std::int64_t j) { return j < P ? prompt + j * dim : mine + (j - P) * dim; };
  const auto value_of = [&](std::int64_t j) {
    return j < P ? prompt + (P + j) * dim : mine + (c.capacity + j - P) * dim;
  };

  __shared__ float q[G][N * 64];
  __shared__ float p[G][kKeys];
  const T* query = qkv + b * (c.heads + 2 * c.kv_heads) * dim + head0 * dim;
  const float scale = rsqrtf(static_cast<float>(dim));
  for (int n = threadIdx.x; n < G * static_cast<int>(dim); n += kKeys)
    q[n / dim][n % dim] = get(query, n) * scale;
  __syncthreads();

  const std::int64_t j = from + threadIdx.x;
  float score[G];
  const bool visible = j < length && j >= seen;
#pragma unroll
  for (int g = 0; g < G; ++g) score[g] = visible ? 0.0f : -INFINITY;
  if (visible) {
    const T* key = key_of(j);
    if (dim % 4 == 0) {
      for (int d = 0; d < dim; d += 4) {
        const Four k = get4(key + d);
#pragma unroll
        for (int g = 0; g < G; ++g)
          score[g] += q[g][d] * k.x[0] + q[g][d + 1] * k.x[1] + q[g][d + 2] * k.x[2] +
                      q[g][d + 3] * k.x[3];
      }
    } else {
      for (int d = 0; d < dim; ++d) {
        const float k = get(key, d);
#pragma unroll
        for (int g = 0; g < G; ++g) score[g] += q[g][d] * k;
      }
    }
  }
#pragma unroll
  for (int g = 0; g < G; ++g) p[g][threadIdx.x] = score[g];
  __syncthreads();

  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  for (int g = warp; g < G; g += kWarps) {
    float largest = -INFINITY;
    for (int i = lane; i < kKeys; i += 32) largest = fmaxf(largest, p[g][i]);
    largest = warp_max(largest);
    float sum = 0;
    for (int i = lane; i < kKeys; i += 32) {
      const float e = expf(p[g][i] - largest);  // e^-inf = 0; some key is visible
      p[g][i] = e;
      sum += e;
    }
    sum = warp_sum(sum);
    if (lane == 0) {
      partial.largest[at + g * splits] = largest;
      partial.weight[at + g * splits] = sum;
    }
  }
  __syncthreads();

  // Values: a warp takes every kWarps-th key, a lane two dims of each 64.
  float sum[G][N][2] = {};
  const int keys = static_cast<int>(length - from < kKeys ? length - from : kKeys);
  for (int i = warp; i < keys; i += kWarps) {
    if (from + i < seen) continue;
    const T* value = value_of(from + i);
#pragma unroll
    for (int n = 0; n < N; ++n) {
      const int d = n * 64 + lane * 2;
      if (d >= dim) continue;
      const float a = get(value, d), z = d + 1 < dim ? get(value, d + 1) : 0.0f;
#pragma unroll
      for (int g = 0; g < G; ++g) {
        sum[g][n][0] += p[g][i] * a;
        sum[g][n][1] += p[g][i] * z;
      }
    }
  }
  __shared__ float of_warps[kWarps][N * 64];
  for (int g = 0; g < G; ++g) {
    __syncthreads();
#pragma unroll
    for (int n = 0; n < N; ++n) {
      of_warps[warp][n * 64 + lane * 2] = sum[g][n][0];
      of_warps[warp][n * 64 + lane * 2 + 1] = sum[g][n][1];
    }
    __syncthreads();
    for (int d = threadIdx.x; d < dim; d += kKeys) {
      float whole = 0;
      for (int w = 0; w < kWarps; ++w) whole += of_warps[w][d];
      partial.out[(at + g * splits) * dim + d] = whole;
    }
  }
}

/// A block a row and head: the splits' parts weighed against each other.
template <class T>
__global__ void merge_rows(Partial partial, T* out, std::int64_t heads, std::int64_t dim,
                           int splits) {
  const std::int64_t n = static_cast<std::int64_t>(blockIdx.x) * heads + blockIdx.y;
  const float *largest = partial.largest + n * splits, *weight = partial.weight + n * splits;
  float m = -INFINITY;
  for (int s = 0; s < splits; ++s) m = fmaxf(m, largest[s]);
  float total = 0;
  for (int s = 0; s < splits; ++s)
    if (largest[s] > -INFINITY) total += weight[s] * expf(largest[s] - m);
  for (std::int64_t d = threadIdx.x; d < dim; d += blockDim.x) {
    float sum = 0;
    for (int s = 0; s < splits; ++s)
      if (largest[s] > -INFINITY)
        sum += partial.out[(n * splits + s) * dim + d] * expf(largest[s] - m);
    put(out, n * dim + d, total > 0 ? sum / total : 0.0f);
  }
}

std::int64_t splits_of(std::int64_t tokens) { return (tokens + kKeys - 1) / kKeys; }

template <class T, int G, int N>
void launch(Numbers qkv, const Row* rows, const Cache& c, const Partial& partial, int first_head,
            std::int64_t B, std::int64_t splits, Stream stream) {
  decode_rows<T, G, N><<<dim3(static_cast<unsigned>(B), static_cast<unsigned>(c.kv_heads),
                              static_cast<unsigned>(splits)),
                         kKeys, 0, stream>>>(static_cast<const T*>(qkv.data), rows,
                                             static_cast<const T*>(c.own), c, partial, first_head);
}

template <class T, int N>
void launch_group(Numbers qkv, const Row* rows, const Cache& c, const Partial& partial,
                  std::int64_t B, std::int64_t splits, Stream stream) {
  const auto group = static_cast<int>(c.heads / c.kv_heads);
  for (int first = 0; first < group;) {
    const int left = group - first;
    const auto with = [&](auto g) {
      launch<T, decltype(g)::value, N>(qkv, rows, c, partial, first, B, splits, stream);
      first += decltype(g)::value;
    };
    if (left >= 8)
      with(std::integral_constant<int, 8>());
    else if (left >= 4)
      with(std::integral_constant<int, 4>());
    else if (left == 3)
      with(std::integral_constant<int, 3>());
    else if (left == 2)
      with(std::integral_constant<int, 2>());
    else
      with(std::integral_constant<int, 1>());
  }
}

}  // namespace

void store_prompt(Numbers qkv, void* piece, const Cache& c, std::int64_t rows,
                  std::int64_t capacity, Stream stream) {
  if (rows == 0) return;
  by_type(qkv.bf16, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    store_prompt_rows<T><<<static_cast<unsigned>(rows), 256, 0, stream>>>(
        static_cast<const T*>(qkv.data), static_cast<T*>(piece), c.heads, c.kv_heads, c.dim,
        capacity);
  });
  check_launch("store_prompt");
}

void store_step(Numbers qkv, const Row* rows, const Cache& c, std::int64_t B, Stream stream) {
  by_type(qkv.bf16, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    store_step_rows<T><<<static_cast<unsigned>(B), 256, 0, stream>>>(
        static_cast<const T*>(qkv.data), rows, static_cast<T*>(c.own), c.layer, c.slots, c.heads,
        c.kv_heads, c.dim, c.capacity);
  });
  check_launch("store_step");
}

std::int64_t decode_scratch(const Cache& c, std::int64_t B, std::int64_t tokens) {
  return B * c.heads * splits_of(tokens) * (c.dim + 2);
}

void decode_attention(Numbers qkv, const Row* rows, const Cache& c, Numbers out, float* scratch,
                      std::int64_t B, std::int64_t tokens, Stream stream) {
  const std::int64_t splits = splits_of(tokens), parts = B * c.heads * splits;
  const Partial partial{scratch, scratch + parts * c.dim, scratch + parts * (c.dim + 1)};
  by_type(qkv.bf16, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    if (c.dim <= 64)
      launch_group<T, 1>(qkv, rows, c, partial, B, splits, stream);
    else if (c.dim <= 128)
      launch_group<T, 2>(qkv, rows, c, partial, B, splits, stream);
    else if (c.dim <= 256)
      launch_group<T, 4>(qkv, rows, c, partial, B, splits, stream);
    else
      throw std::runtime_error("heads of more than 256 numbers are not decoded on CUDA");
    check_launch("decode_attention");
    merge_rows<T><<<dim3(static_cast<unsigned>(B), static_cast<unsigned>(c.heads)), 64, 0,
                    stream>>>(partial, static_cast<T*>(out.data), c.heads, c.dim,
                              static_cast<int>(splits));
  });
  check_launch("decode_attention's merge");
}

}  // namespace hone::rl::cuda
