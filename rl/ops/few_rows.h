// Matrix products of a few rows: those of a decode step, whose time is that of reading the weights
// once. Each thread streams its share of them, ahead of what it needs; every row of x meets a
// weight while that is in the first cache. No torch types, no allocation beyond x's form inside.
#pragma once

#include <cstdint>

namespace hone::rl {

/// Up to here a row of weights goes by while all of x is at hand.
inline constexpr std::int64_t kFewRows = 8;

/// The most rows that few_rows takes on this machine: those above kFewRows, sixteen to a register,
/// want AVX2 for f32 weights and AVX-512's instructions for bf16 ones (rl/ops/row_panels.h).
std::int64_t most_few_rows(bool bf16);

/// y [m,n] = x [m,k] w [n,k]^T, + base [m,n] where given; all rows adjacent, m at most
/// most_few_rows. Each number of y is summed in one order up to kFewRows and in another above,
/// whatever m and the threads.
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
