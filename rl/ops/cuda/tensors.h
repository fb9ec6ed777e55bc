// Tensors as the kernels take them.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/cuda/CUDAStream.h>

#include "rl/ops/cuda/kernels.h"

namespace hone::rl::cuda {

inline Stream stream() { return c10::cuda::getCurrentCUDAStream().stream(); }

/// Rows must be whole; they may lie apart where the kernel takes a stride.
inline Numbers numbers(const at::Tensor& t) {
  TORCH_CHECK(t.is_cuda() && (t.dim() == 0 || t.stride(-1) == 1), "rows of a device's tensor");
  TORCH_CHECK(t.scalar_type() == at::kFloat || t.scalar_type() == at::kBFloat16, "f32 or bf16");
  return {const_cast<void*>(t.const_data_ptr()), t.scalar_type() == at::kBFloat16};
}

inline float* floats(const at::Tensor& t) {
  TORCH_CHECK(t.is_cuda() && t.is_contiguous(), "a device's tensor");
  return const_cast<float*>(t.const_data_ptr<float>());
}

}  // namespace hone::rl::cuda
