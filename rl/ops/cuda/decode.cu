#include "rl/ops/cuda/decode.cuh"

namespace hone::rl::cuda {
namespace {

constexpr int kKeys = 256;  // of a block
constexpr int kWarps = 4;
constexpr int kThreads = 32 * kWarps;

template <class T>
__global__ void store_prompt_rows(const T* qkv, T* piece, std::int64_t heads, std::int64_t kv_heads,
                                  std::int64_t dim, std::int64_t capacity) {
  const std::int64_t t = blockIdx.x, row = (heads + 2 * kv_heads) * dim;
  for (std::int64_t n = threadIdx.x; n < 2 * kv_heads * dim; n += blockDim.x) {
    const std::int64_t which = n / (kv_heads * dim), h = n / dim % kv_heads, d = n % dim;
    piece[((h * 2 + which) * capacity + t) * dim + d] = qkv[t * row + heads * dim + n];
  }
}

/// What all threads of a block of keys know. The newest key and value are not in the cache yet:
/// they are read where the product left them, and the block that reads them puts them there.
template <class T>
struct Span {
  std::int64_t prompt_tokens, length, from, seen;
  int keys;  ///< of this block; 0: none is seen
  const T *prompt, *fresh_key, *fresh_value;
  T* own;
  std::int64_t capacity, dim;

  __device__ const T* key(int i) const {
    const std::int64_t j = from + i;
    return j < prompt_tokens ? prompt + j * dim
           : j + 1 < length  ? own + (j - prompt_tokens) * dim
                             : fresh_key;
  }
  __device__ const T* value(int i) const {
    const std::int64_t j = from + i;
    return j < prompt_tokens ? prompt + (prompt_tokens + j) * dim
           : j + 1 < length  ? own + (capacity + j - prompt_tokens) * dim
                             : fresh_value;
  }
  __device__ bool visible(int i) const { return i < keys && from + i >= seen; }
  __device__ void store() const {
    if (keys == 0 || from + keys != length) return;
    T* key = own + (length - 1 - prompt_tokens) * dim;
    for (int d = threadIdx.x; d < dim; d += blockDim.x) {
      key[d] = fresh_key[d];
      key[capacity * dim + d] = fresh_value[d];
    }
  }
};

/// The keys split * at_once ... of row b's head kv.
template <class T>
__device__ Span<T> span_of(const T* qkv, const Row& r, std::int64_t b, const Cache& c, T* own,
                           std::int64_t kv, std::int64_t split, std::int64_t at_once) {
  const std::int64_t P = r.prompt_tokens, length = r.slot < 0 ? 0 : P + r.own_tokens,
                     from = split * at_once;
  const std::int64_t seen = c.window > 0 && length > c.window ? length - c.window : 0;
  const bool some = from < length && from + at_once > seen;
  const T* fresh = qkv + (b * (c.heads + 2 * c.kv_heads) + c.heads + kv) * c.dim;
  return {P,
          length,
          from,
          seen,
          some ? static_cast<int>(length - from < at_once ? length - from : at_once) : 0,
          static_cast<const T*>(r.prompt) + (c.layer * c.kv_heads + kv) * 2 * P * c.dim,
          fresh,
          fresh + c.kv_heads * c.dim,
          own + ((c.layer * c.slots + r.slot) * c.kv_heads + kv) * 2 * c.capacity * c.dim,
          c.capacity,
          c.dim};
}

struct Partial {
  float *out, *largest, *weight;  // [B, heads, splits, dim], [B, heads, splits] twice
};

/// Scores p [G][kKeys] of a block become weights e^(score - largest); both sums go to `partial`.
template <int G>
__device__ void weigh(float (*p)[kKeys], const Partial& partial, std::int64_t at, int splits) {
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
}

/// 16 bytes of a row at a time (32 of f32), kept as they come until they are needed.
template <class T>
struct Eight;
template <>
struct Eight<Bf16> {
  uint4 raw;
  __device__ void load(const Bf16* p) { raw = *reinterpret_cast<const uint4*>(p); }
  __device__ void get(float* x) const {
    const unsigned words[4] = {raw.x, raw.y, raw.z, raw.w};
    for (int i = 0; i < 4; ++i) {
      x[2 * i] = __uint_as_float(words[i] << 16);
      x[2 * i + 1] = __uint_as_float(words[i] & 0xffff0000u);
    }
  }
};
template <>
struct Eight<float> {
  float4 a, b;
  __device__ void load(const float* p) {
    a = *reinterpret_cast<const float4*>(p);
    b = *reinterpret_cast<const float4*>(p + 4);
  }
  __device__ void get(float* x) const {
    x[0] = a.x, x[1] = a.y, x[2] = a.z, x[3] = a.w, x[4] = b.x, x[5] = b.y, x[6] = b.z, x[7] = b.w;
  }
};

/// A block: one row, one head of keys, kKeys keys, G query heads at once; D numbers a head. D / 8
/// lanes take a key, so that a warp reads whole lines.
template <class T, int G, int D>
__global__ void decode_rows(const T* qkv, const Row* rows, T* own, Cache c, Partial partial,
                            int first_head) {
  constexpr int kLanes = D / 8, kAtOnce = 32 / kLanes, kAhead = 4;
  const int b = blockIdx.x, kv = blockIdx.y, split = blockIdx.z, splits = gridDim.z;
  const std::int64_t head0 = kv * (c.heads / c.kv_heads) + first_head;
  const std::int64_t at = (static_cast<std::int64_t>(b) * c.heads + head0) * splits + split;
  const auto span = span_of(qkv, rows[b], b, c, own, kv, split, kKeys);
  if (first_head == 0) span.store();
  if (span.keys == 0) {
    if (threadIdx.x < G) {
      partial.largest[at + threadIdx.x * splits] = -INFINITY;
      partial.weight[at + threadIdx.x * splits] = 0;
    }
    return;
  }
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int which = lane / kLanes, dims = lane % kLanes * 8;  // this lane's key and numbers of it

  __shared__ float p[G][kKeys];
  const T* query = qkv + b * (c.heads + 2 * c.kv_heads) * D + head0 * D;
  const float scale = rsqrtf(static_cast<float>(D));
  float q[G][8];
#pragma unroll
  for (int g = 0; g < G; ++g) {
    Eight<T> some;
    some.load(query + g * D + dims);
    some.get(q[g]);
    for (int i = 0; i < 8; ++i) q[g][i] *= scale;
  }
  for (int base = warp * kAtOnce; base < kKeys; base += kWarps * kAtOnce * kAhead) {
    Eight<T> keys[kAhead];
#pragma unroll
    for (int a = 0; a < kAhead; ++a) {
      const int i = base + a * kWarps * kAtOnce + which;
      if (span.visible(i)) keys[a].load(span.key(i) + dims);
    }
#pragma unroll
    for (int a = 0; a < kAhead; ++a) {
      const int i = base + a * kWarps * kAtOnce + which;
      float k[8];
      keys[a].get(k);
#pragma unroll
      for (int g = 0; g < G; ++g) {
        float score = 0;
        for (int d = 0; d < 8; ++d) score += q[g][d] * k[d];
        for (int d = kLanes / 2; d > 0; d /= 2) score += __shfl_xor_sync(0xffffffffu, score, d);
        if (dims == 0) p[g][i] = span.visible(i) ? score : -INFINITY;
      }
    }
  }
  __syncthreads();
  weigh<G>(p, partial, at, splits);
  __syncthreads();

  float sum[G][8] = {};
  for (int base = warp * kAtOnce; base < span.keys; base += kWarps * kAtOnce * kAhead) {
    Eight<T> values[kAhead];
#pragma unroll
    for (int a = 0; a < kAhead; ++a) {
      const int i = base + a * kWarps * kAtOnce + which;
      if (span.visible(i)) values[a].load(span.value(i) + dims);
    }
#pragma unroll
    for (int a = 0; a < kAhead; ++a) {
      const int i = base + a * kWarps * kAtOnce + which;
      if (!span.visible(i)) continue;
      float v[8];
      values[a].get(v);
#pragma unroll
      for (int g = 0; g < G; ++g)
        for (int d = 0; d < 8; ++d) sum[g][d] += p[g][i] * v[d];
    }
  }
  __shared__ float of_warps[kWarps][D];
#pragma unroll
  for (int g = 0; g < G; ++g) {
    for (int d = 0; d < 8; ++d)  // over the keys that the warp took at once
      for (int away = kLanes; away < 32; away *= 2)
        sum[g][d] += __shfl_xor_sync(0xffffffffu, sum[g][d], away);
    __syncthreads();
    if (which == 0)
      for (int d = 0; d < 8; ++d) of_warps[warp][dims + d] = sum[g][d];
    __syncthreads();
    for (int d = threadIdx.x; d < D; d += kThreads) {
      float whole = 0;
      for (int w = 0; w < kWarps; ++w) whole += of_warps[w][d];
      partial.out[(at + g * splits) * D + d] = whole;
    }
  }
}

/// The same for heads of any size: a thread a key, then a thread a number.
template <class T>
__global__ void decode_odd_rows(const T* qkv, const Row* rows, T* own, Cache c, Partial partial) {
  const int b = blockIdx.x, head = blockIdx.y, split = blockIdx.z, splits = gridDim.z;
  const std::int64_t at = (static_cast<std::int64_t>(b) * c.heads + head) * splits + split;
  const auto group = static_cast<int>(c.heads / c.kv_heads);
  const auto span = span_of(qkv, rows[b], b, c, own, head / group, split, kKeys);
  if (head % group == 0) span.store();
  if (span.keys == 0) {
    if (threadIdx.x == 0) {
      partial.largest[at] = -INFINITY;
      partial.weight[at] = 0;
    }
    return;
  }
  __shared__ float p[1][kKeys];
  const T* query = qkv + b * (c.heads + 2 * c.kv_heads) * c.dim + head * c.dim;
  const float scale = rsqrtf(static_cast<float>(c.dim));
  for (int i = threadIdx.x; i < kKeys; i += kThreads) {
    float score = 0;
    if (span.visible(i))
      for (std::int64_t d = 0; d < c.dim; ++d) score += get(query, d) * scale * get(span.key(i), d);
    p[0][i] = span.visible(i) ? score : -INFINITY;
  }
  __syncthreads();
  weigh<1>(p, partial, at, splits);
  __syncthreads();
  for (std::int64_t d = threadIdx.x; d < c.dim; d += kThreads) {
    float sum = 0;
    for (int i = 0; i < span.keys; ++i)
      if (span.visible(i)) sum += p[0][i] * get(span.value(i), d);
    partial.out[at * c.dim + d] = sum;
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

template <class T, int D>
void launch(Numbers qkv, const Row* rows, const Cache& c, const Partial& partial, std::int64_t B,
            std::int64_t splits, Stream stream) {
  const dim3 grid(static_cast<unsigned>(B), static_cast<unsigned>(c.kv_heads),
                  static_cast<unsigned>(splits));
  const auto group = static_cast<int>(c.heads / c.kv_heads);
  for (int first = 0; first < group;) {
    const int left = group - first;
    const auto with = [&](auto g) {
      constexpr int G = decltype(g)::value;
      decode_rows<T, G, D><<<grid, kThreads, 0, stream>>>(
          static_cast<const T*>(qkv.data), rows, static_cast<T*>(c.own), c, partial, first);
      first += G;
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

namespace {

/// Queries in f32, or heads of a size that the tensor cores' kernel does not have.
void decode_any(Numbers qkv, const Row* rows, const Cache& c, Numbers out, float* scratch,
                const DecodeSize& size, Stream stream) {
  const std::int64_t B = size.rows, splits = splits_of(size.prompt_tokens + size.own_tokens),
                     parts = B * c.heads * splits;
  const Partial partial{scratch, scratch + parts * c.dim, scratch + parts * (c.dim + 1)};
  by_type(qkv.bf16, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    if (c.dim == 64)
      launch<T, 64>(qkv, rows, c, partial, B, splits, stream);
    else if (c.dim == 128)
      launch<T, 128>(qkv, rows, c, partial, B, splits, stream);
    else if (c.dim == 256)
      launch<T, 256>(qkv, rows, c, partial, B, splits, stream);
    else
      decode_odd_rows<T><<<dim3(static_cast<unsigned>(B), static_cast<unsigned>(c.heads),
                                static_cast<unsigned>(splits)),
                           kThreads, 0, stream>>>(static_cast<const T*>(qkv.data), rows,
                                                  static_cast<T*>(c.own), c, partial);
    check_launch("decode_attention");
    merge_rows<T>
        <<<dim3(static_cast<unsigned>(B), static_cast<unsigned>(c.heads)), 64, 0, stream>>>(
            partial, static_cast<T*>(out.data), c.heads, c.dim, static_cast<int>(splits));
  });
  check_launch("decode_attention's merge");
}

bool on_tensor_cores(const Cache& c) { return c.bf16 && (c.dim == 64 || c.dim == 128); }

}  // namespace

int decode_together(const Cache& c) { return on_tensor_cores(c) ? decode_mma_together(c) : 1; }

std::int64_t decode_scratch(const Cache& c, const DecodeSize& size) {
  return on_tensor_cores(c)
             ? decode_mma_scratch(c, size)
             : size.rows * c.heads * splits_of(size.prompt_tokens + size.own_tokens) * (c.dim + 2);
}

std::int64_t decode_tickets(const Cache& c, std::int64_t B) { return B * c.kv_heads; }

void decode_attention(Numbers qkv, const Row* rows, const Cache& c, Numbers out, float* scratch,
                      int* tickets, const DecodeSize& size, Stream stream) {
  if (on_tensor_cores(c))
    decode_mma(qkv, rows, c, out, scratch, tickets, size, stream);
  else
    decode_any(qkv, rows, c, out, scratch, size, stream);
}

}  // namespace hone::rl::cuda
