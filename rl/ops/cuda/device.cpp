#include "rl/ops/cuda/device.h"

#include <ATen/Context.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <cuda_runtime_api.h>

#include <cstdlib>

namespace hone::rl::cuda {
namespace {

struct Facts {
  bool there = false;
  std::string why, name;
  int major = 0;
  std::int64_t memory = 0;
};

const Facts& facts() {
  static const Facts found = [] {
    Facts f;
    int count = 0;
    const auto error = cudaGetDeviceCount(&count);
    cudaDeviceProp properties{};
    if (error != cudaSuccess || count == 0) {
      f.why = error == cudaSuccess ? "the driver knows no device" : cudaGetErrorString(error);
      (void)cudaGetLastError();
    } else if (cudaGetDeviceProperties(&properties, 0) != cudaSuccess) {
      f.why = "the device cannot be asked what it is";
    } else {
      f.there = true;
      f.name = properties.name;
      f.major = properties.major;
      f.memory = static_cast<std::int64_t>(properties.totalGlobalMem);
    }
    return f;
  }();
  return found;
}

}  // namespace

bool available(std::string* why) {
  if (why) *why = facts().why;
  return facts().there;
}

std::string device_name() { return facts().name; }

std::int64_t total_memory() { return facts().memory; }

std::int64_t free_memory() {
  if (!available()) return 0;
  std::size_t free = 0, total = 0;
  if (cudaMemGetInfo(&free, &total) != cudaSuccess) return 0;
  if (!c10::cuda::CUDACachingAllocator::get()->initialized())
    return static_cast<std::int64_t>(free);
  const auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(0);
  constexpr auto kAll = static_cast<std::size_t>(c10::CachingAllocator::StatType::AGGREGATE);
  return static_cast<std::int64_t>(free) + stats.reserved_bytes[kAll].current -
         stats.allocated_bytes[kAll].current;
}

std::int64_t peak_memory() {
  if (!available() || !c10::cuda::CUDACachingAllocator::get()->initialized()) return 0;
  constexpr auto kAll = static_cast<std::size_t>(c10::CachingAllocator::StatType::AGGREGATE);
  return c10::cuda::CUDACachingAllocator::getDeviceStats(0).allocated_bytes[kAll].peak;
}

void synchronize() {
  if (available()) c10::cuda::device_synchronize();
}

void repeat_exactly() {
  // cuBLAS's workspaces must be of fixed sizes, which it reads from the environment.
  ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
  at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/false);
  at::globalContext().setDeterministicFillUninitializedMemory(false);
}

bool multiplies_bf16() { return facts().there && facts().major >= 8; }

}  // namespace hone::rl::cuda
