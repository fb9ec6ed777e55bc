// Decode attention has two kernels; decode.cu chooses, and calls the one on tensor cores by this.
#pragma once

#include "rl/ops/cuda/common.cuh"

namespace hone::rl::cuda {

/// decode_mma.cu: bf16, heads of 64 or 128 numbers.
int decode_mma_together(const Cache& cache);
std::int64_t decode_mma_scratch(const Cache& cache, const DecodeSize& size);
void decode_mma(Numbers qkv, const Row* rows, const Cache& cache, Numbers out, float* scratch,
                int* tickets, const DecodeSize& size, Stream stream);

}  // namespace hone::rl::cuda
