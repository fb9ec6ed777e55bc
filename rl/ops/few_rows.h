// Matrix products of a few rows: those of a decode step, whose time is that of reading the weights
// once. Each thread streams its share of them, ahead of what it needs; every row of x meets a
// weight row while that is in the first cache. No torch types, no allocation beyond x's bf16 form.
#pragma once

#include <cstdint>

namespace hone::rl {

/// Up to here reading the weights is what takes the time; above, libraries that block for the
/// caches are faster.
inline constexpr std::int64_t kFewRows = 8;

/// y [m,n] = x [m,k] w [n,k]^T, + base [m,n] where given; all rows adjacent, m at most kFewRows.
/// Each number of y is summed in one order, whatever m and the threads.
void few_rows(std::int64_t m, std::int64_t n, std::int64_t k, const float* x, const float* w,
              const float* base, float* y);

enum class Rounding {
  Bf16,    ///< x on the way in and the sums on the way out, as the products of libraries round them
  Weights  ///< nothing but the weights, which are bf16 already
};

/// The same with w in bf16 (upper halves of f32 numbers). Sums are f32; base is added to what they
/// are rounded to.
void few_rows(std::int64_t m, std::int64_t n, std::int64_t k, const float* x,
              const std::uint16_t* w, const float* base, float* y,
              Rounding rounding = Rounding::Bf16);

}  // namespace hone::rl
