#include "rl/ops/zero_pages.h"

#include <ATen/Parallel.h>
#include <ATen/ops/from_blob.h>
#include <sys/mman.h>

#include <algorithm>
#include <new>

#include "rl/ops/simd.h"

namespace hone::rl {
namespace {

constexpr std::int64_t kTogether = 4, kGrain = 256;

HONE_SIMD bool any_bit(const std::uint32_t* bits, std::int64_t count) {
  std::uint32_t all = 0;
  for (std::int64_t i = 0; i < count; ++i) all |= bits[i];
  return all != 0;
}

}  // namespace

at::Tensor zero_pages(at::IntArrayRef sizes) {
  std::size_t bytes = sizeof(float);
  for (const auto size : sizes) bytes *= static_cast<std::size_t>(size);
  void* pages = ::mmap(nullptr, std::max<std::size_t>(bytes, 1), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) throw std::bad_alloc();
  return at::from_blob(
      pages, sizes, [bytes](void* p) { ::munmap(p, std::max<std::size_t>(bytes, 1)); }, at::kFloat);
}

std::vector<RowRun> live_runs(const std::vector<at::Tensor>& tensors) {
  const std::int64_t R = tensors.front().size(0), C = tensors.front().size(1);
  const std::int64_t groups = (R + kTogether - 1) / kTogether;
  std::vector<std::uint8_t> live(static_cast<std::size_t>(groups));
  at::parallel_for(0, groups, kGrain, [&](std::int64_t a, std::int64_t b) {
    for (std::int64_t g = a; g < b; ++g) {
      const std::int64_t row = g * kTogether, rows = std::min(kTogether, R - row);
      for (const auto& tensor : tensors)
        live[static_cast<std::size_t>(g)] |= any_bit(
            reinterpret_cast<const std::uint32_t*>(tensor.const_data_ptr<float>() + row * C),
            rows * C);
    }
  });
  std::vector<RowRun> runs;
  for (std::int64_t g = 0; g < groups; ++g) {
    const bool is = live[static_cast<std::size_t>(g)] != 0;
    const std::int64_t row = g * kTogether, rows = std::min(kTogether, R - row);
    if (!runs.empty() && runs.back().live == is)
      runs.back().count += rows;
    else
      runs.push_back({row, rows, is});
  }
  return runs;
}

}  // namespace hone::rl
