// Matrix products too small for a BLAS call to pay: the blocks of attention. Plain loops over tiles
// that stay in registers, compiled for three instruction sets; one thread, no allocation. For float
// and double.
#pragma once

#include <cstdint>

namespace hone::rl {

/// Columns that a tile works on at once: 16 floats, one AVX-512 register; of doubles, two.
inline constexpr std::int64_t kLanes = 16;

/// A matrix that is read by single numbers: element (i, j) lies at data[i * row + j * column], so a
/// transposed one is the same with both steps exchanged.
template <class Real>
struct Strided {
  const Real* data;
  std::int64_t row, column;
};

enum class Write { Replace, Add };

/// c [m,n] = or += a [m,k] b [k,n]; b's and c's rows are `b_row` and `c_row` numbers apart, their
/// columns adjacent. Sums run in the order of k, whatever m and n: a row's bits do not depend on
/// its neighbours.
template <class Real>
void small_matmul(std::int64_t m, std::int64_t n, std::int64_t k, Strided<Real> a, const Real* b,
                  std::int64_t b_row, Real* c, std::int64_t c_row, Write write);

/// x [n,k], rows `x_row` numbers apart, into panels of kLanes rows turned on their side: panel p
/// holds [k][kLanes], its number (j, lane) being x[p * kLanes + lane][j]; lanes past n are 0.
template <class Real>
void pack_panels(const Real* x, std::int64_t x_row, std::int64_t n, std::int64_t k, Real* panels);

/// c [m, panels * kLanes] = a [m,k] x^T for `panels` packed panels of x.
template <class Real>
void matmul_panels(std::int64_t m, std::int64_t k, Strided<Real> a, const Real* panels,
                   std::int64_t count, Real* c, std::int64_t c_row);

}  // namespace hone::rl
