// What the tests on a device share.
#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include <string>

#include "rl/ops/cuda/device.h"
#include "tests/unit/rl/support/tiny_model.h"

namespace hone::rl::testing {

/// Skips a test where there is no device.
class OnCuda : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string why;
    if (!cuda::available(&why)) GTEST_SKIP() << "no CUDA device: " << why;
    cuda::repeat_exactly();
  }
};

inline at::Tensor there(const at::Tensor& t) { return t.to(at::Device(at::kCUDA, 0)); }
inline at::Tensor there(const at::Tensor& t, at::ScalarType type) {
  return t.to(at::Device(at::kCUDA, 0), type);
}

/// The largest difference over the largest number.
inline double relative(const at::Tensor& got, const at::Tensor& want) {
  const auto a = got.to(at::kCPU, at::kDouble), b = want.to(at::kCPU, at::kDouble);
  if (!a.isfinite().all().item<bool>()) return 1e9;
  return (a - b).abs().max().item<double>() / std::max(b.abs().max().item<double>(), 1e-30);
}

/// f32 sums in another order; bf16 rounds its inputs and its result.
inline double tolerance(at::ScalarType type) { return type == at::kFloat ? 5e-6 : 1.5e-2; }

}  // namespace hone::rl::testing
