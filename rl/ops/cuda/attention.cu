#include "rl/ops/cuda/common.cuh"

namespace hone::rl::cuda {
namespace {

template <class T>
__global__ void gather_rows(const T* dq, const T* dk, const T* dv, T* dqkv,
                            const std::int32_t* first, const std::int32_t* which, std::int64_t q,
                            std::int64_t kv) {
  const std::int64_t t = blockIdx.x;
  T* out = dqkv + t * (q + 2 * kv);
  for (std::int64_t c = threadIdx.x; c < q; c += blockDim.x) out[c] = dq[t * q + c];
  for (std::int64_t c = threadIdx.x; c < kv; c += blockDim.x) {
    float k = 0, v = 0;
    if (first) {
      for (std::int32_t i = first[t]; i < first[t + 1]; ++i) {
        k += get(dk, which[i] * kv + c);
        v += get(dv, which[i] * kv + c);
      }
    } else {
      k = get(dk, t * kv + c);
      v = get(dv, t * kv + c);
    }
    put(out, q + c, k);
    put(out, q + kv + c, v);
  }
}

}  // namespace

void gather_gradients(Numbers dq, Numbers dk, Numbers dv, Numbers dqkv, const std::int32_t* first,
                      const std::int32_t* which, std::int64_t T, std::int64_t q, std::int64_t kv,
                      Stream stream) {
  if (T == 0) return;
  by_type(dqkv.bf16, [&](auto* type) {
    using X = std::remove_pointer_t<decltype(type)>;
    gather_rows<X><<<static_cast<unsigned>(T), 256, 0, stream>>>(
        static_cast<const X*>(dq.data), static_cast<const X*>(dk.data),
        static_cast<const X*>(dv.data), static_cast<X*>(dqkv.data), first, which, q, kv);
  });
  check_launch("gather_gradients");
}

}  // namespace hone::rl::cuda
