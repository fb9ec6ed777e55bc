// The CPU's kernels are written once for f32 and f64: training runs in f32, f64 tells a mistake
// from rounding in tests.
#pragma once

#include <ATen/core/Tensor.h>

namespace hone::rl {

/// Calls `op` with x's number type: by_real(x, [&]<class Real> { ... x.const_data_ptr<Real>() ...
/// }).
template <class Op>
auto by_real(const at::Tensor& x, Op&& op) {
  return x.scalar_type() == at::kDouble ? op.template operator()<double>()
                                        : op.template operator()<float>();
}

}  // namespace hone::rl
