// What differs between the libtorch versions we build against (2.6 and later), in one place.
#pragma once

#include <ATen/Context.h>

namespace hone::rl::compat {

/// Whether f32 matrix products may take oneDNN's route ("medium") or must take the BLAS
/// ("highest"). A libtorch without the switch keeps its BLAS.
template <class Context>
void set_f32_matmul_precision(Context& context, const char* precision) {
  if constexpr (requires { context.setFloat32MatmulPrecision(precision); })
    context.setFloat32MatmulPrecision(precision);
}

/// Namespaces that oneDNN's own operators have had, newest first.
inline constexpr const char* kOneDnnLinearNames[] = {"onednn::_linear_pointwise",
                                                     "mkldnn::_linear_pointwise"};

}  // namespace hone::rl::compat
