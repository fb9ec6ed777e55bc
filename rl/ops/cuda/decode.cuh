// What the kernels of decode attention share: a row's keys and values, of which a block takes some.
#pragma once

#include "rl/ops/cuda/common.cuh"

namespace hone::rl::cuda {

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

/// decode_mma.cu: bf16, heads of 64 or 128 numbers.
int decode_mma_together(const Cache& cache);
std::int64_t decode_mma_scratch(const Cache& cache, const DecodeSize& size);
void decode_mma(Numbers qkv, const Row* rows, const Cache& cache, Numbers out, float* scratch,
                int* tickets, const DecodeSize& size, Stream stream);

}  // namespace hone::rl::cuda
