// What the kernels share: reading and writing f32 or bf16, sums of a warp and of a block.
#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <stdexcept>
#include <string>

#include "rl/ops/cuda/kernels.h"

namespace hone::rl::cuda {

using Bf16 = __nv_bfloat16;

__device__ inline float get(const float* p, std::int64_t i) { return p[i]; }
__device__ inline float get(const Bf16* p, std::int64_t i) { return __bfloat162float(p[i]); }
__device__ inline void put(float* p, std::int64_t i, float x) { p[i] = x; }
__device__ inline void put(Bf16* p, std::int64_t i, float x) { p[i] = __float2bfloat16(x); }

struct Four {
  float x[4];
};
__device__ inline Four get4(const float* p) {
  const float4 v = *reinterpret_cast<const float4*>(p);
  return {{v.x, v.y, v.z, v.w}};
}
__device__ inline Four get4(const Bf16* p) {
  const uint2 v = *reinterpret_cast<const uint2*>(p);
  const float2 a = __bfloat1622float2(*reinterpret_cast<const __nv_bfloat162*>(&v.x)),
               b = __bfloat1622float2(*reinterpret_cast<const __nv_bfloat162*>(&v.y));
  return {{a.x, a.y, b.x, b.y}};
}
__device__ inline void put4(float* p, const Four& f) {
  *reinterpret_cast<float4*>(p) = make_float4(f.x[0], f.x[1], f.x[2], f.x[3]);
}
__device__ inline void put4(Bf16* p, const Four& f) {
  const __nv_bfloat162 a = __floats2bfloat162_rn(f.x[0], f.x[1]),
                       b = __floats2bfloat162_rn(f.x[2], f.x[3]);
  uint2 v;
  v.x = *reinterpret_cast<const unsigned*>(&a);
  v.y = *reinterpret_cast<const unsigned*>(&b);
  *reinterpret_cast<uint2*>(p) = v;
}

__device__ inline float warp_sum(float x) {
  for (int d = 16; d > 0; d /= 2) x += __shfl_xor_sync(0xffffffffu, x, d);
  return x;
}
__device__ inline float warp_max(float x) {
  for (int d = 16; d > 0; d /= 2) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, d));
  return x;
}

/// The sum over a block of at most 1024 threads, in every thread. Ends with a barrier passed.
__device__ inline float block_sum(float x) {
  __shared__ float of_warps[32];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = (blockDim.x + 31) / 32;
  x = warp_sum(x);
  __syncthreads();  // an earlier call's numbers have been read
  if (lane == 0) of_warps[warp] = x;
  __syncthreads();
  return warp_sum(lane < warps ? of_warps[lane] : 0.0f);
}

/// Calls f with a null pointer of the numbers' type.
template <class F>
void by_type(bool bf16, F f) {
  if (bf16)
    f(static_cast<Bf16*>(nullptr));
  else
    f(static_cast<float*>(nullptr));
}

inline void check_launch(const char* what) {
  const auto error = cudaGetLastError();
  if (error != cudaSuccess)
    throw std::runtime_error(std::string("the CUDA kernel ") + what +
                             " could not be started: " + cudaGetErrorString(error));
}

// A decode step's kernels are so short that the gaps between them count. A kernel started early
// (compute capability 9 on) may fetch what no kernel writes, the weights, before it waits for the
// one in front of it. All of them wait, so whoever waits has everything before it done.

/// Before this a kernel that is started early may read weights alone, and write nothing.
__device__ inline void wait_for_kernel_before() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
/// The next kernel may come as soon as all blocks have said so.
__device__ inline void let_next_start() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

/// Starts a kernel that calls wait_for_kernel_before; early where an EarlyStarts lives.
template <class... Parameters, class... Arguments>
void start_early(void (*kernel)(Parameters...), dim3 grid, dim3 threads, std::size_t shared_bytes,
                 Stream stream, Arguments... arguments) {
  cudaLaunchConfig_t config = {};
  config.gridDim = grid;
  config.blockDim = threads;
  config.dynamicSmemBytes = shared_bytes;
  config.stream = stream;
  cudaLaunchAttribute early = {};
  early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  early.val.programmaticStreamSerializationAllowed = 1;
  config.attrs = &early;
  config.numAttrs = EarlyStarts::now() ? 1 : 0;
  cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...);
}

inline unsigned blocks_for(std::int64_t work, std::int64_t per_block) {
  return static_cast<unsigned>((work + per_block - 1) / per_block);
}

}  // namespace hone::rl::cuda
