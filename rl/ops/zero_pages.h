// Large tensors of which most stays zero: what is never written costs no memory.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace hone::rl {

/// Zeros of this shape, f32, on pages that the kernel hands out when they are first written.
/// Reading them costs none. std::bad_alloc where there is no address space.
at::Tensor zero_pages(at::IntArrayRef sizes);

/// Rows [from, from + count).
struct RowRun {
  std::int64_t from, count;
  bool live;  ///< whether any number of the tensors' rows in it is not zero
};

/// Cuts the rows of tensors of one shape [R, C], f32, into runs by turns live and not. Rows are
/// looked at in fours: shorter runs would cost more than they save.
std::vector<RowRun> live_runs(const std::vector<at::Tensor>& tensors);

}  // namespace hone::rl
