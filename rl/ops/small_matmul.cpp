#include "rl/ops/small_matmul.h"

#include <algorithm>

namespace hone::rl {
namespace {

// W numbers, unaligned; compilers let a vector alias the numbers that it is made of. Never wider
// than the machine's registers: that would compile, into code that keeps its sums in memory.
template <class Real, int W>
struct Vector {
  typedef Real Numbers __attribute__((vector_size(W * sizeof(Real)), aligned(sizeof(Real))));
};

template <class Real>
struct Job {
  std::int64_t m, n, k;
  Strided<Real> a;
  const Real* b;
  std::int64_t b_row;    // numbers between b's rows
  std::int64_t b_panel;  // numbers between b's blocks of kLanes columns
  Real* c;
  std::int64_t c_row;
  bool add;
};

/// M rows of c, kLanes columns: M sums in registers, one load of b and M numbers of a for each k.
template <int W, int M, class Real>
[[gnu::always_inline]] inline void tile(std::int64_t k, const Real* a, std::int64_t a_row,
                                        std::int64_t a_column, const Real* b, std::int64_t b_row,
                                        Real* c, std::int64_t c_row, bool add) {
  using Numbers = typename Vector<Real, W>::Numbers;
  constexpr int kParts = kLanes / W;
  Numbers sums[M][kParts];
#pragma GCC unroll 16
  for (int i = 0; i < M; ++i) {
#pragma GCC unroll 8
    for (int p = 0; p < kParts; ++p) {
      if (add)
        sums[i][p] = *reinterpret_cast<const Numbers*>(c + i * c_row + p * W);
      else
        sums[i][p] = Numbers{};
    }
  }
  for (std::int64_t j = 0; j < k; ++j) {
    Numbers row[kParts];
#pragma GCC unroll 8
    for (int p = 0; p < kParts; ++p)
      row[p] = *reinterpret_cast<const Numbers*>(b + j * b_row + p * W);
#pragma GCC unroll 16
    for (int i = 0; i < M; ++i)
#pragma GCC unroll 8
      for (int p = 0; p < kParts; ++p) sums[i][p] += a[i * a_row + j * a_column] * row[p];
  }
#pragma GCC unroll 16
  for (int i = 0; i < M; ++i)
#pragma GCC unroll 8
    for (int p = 0; p < kParts; ++p)
      *reinterpret_cast<Numbers*>(c + i * c_row + p * W) = sums[i][p];
}

/// The rows that are left below a whole tile: M - 1 at most.
template <int W, int M, class Real>
[[gnu::always_inline]] inline void rest(std::int64_t rows, std::int64_t k, const Real* a,
                                        std::int64_t a_row, std::int64_t a_column, const Real* b,
                                        std::int64_t b_row, Real* c, std::int64_t c_row, bool add) {
  if constexpr (M > 1) {
    if (rows == M - 1)
      tile<W, M - 1>(k, a, a_row, a_column, b, b_row, c, c_row, add);
    else
      rest<W, M - 1>(rows, k, a, a_row, a_column, b, b_row, c, c_row, add);
  }
}

template <int W, int M, class Real>
[[gnu::always_inline]] inline void multiply(const Job<Real>& job) {
  const auto [data, a_row, a_column] = job.a;
  for (std::int64_t column = 0; column + kLanes <= job.n; column += kLanes) {
    const Real* b = job.b + column / kLanes * job.b_panel;
    std::int64_t i = 0;
    for (; i + M <= job.m; i += M)
      tile<W, M>(job.k, data + i * a_row, a_row, a_column, b, job.b_row,
                 job.c + i * job.c_row + column, job.c_row, job.add);
    if (i < job.m)
      rest<W, M>(job.m - i, job.k, data + i * a_row, a_row, a_column, b, job.b_row,
                 job.c + i * job.c_row + column, job.c_row, job.add);
  }
  // Columns past the last whole block: head sizes of test models. The same order of sums, by hand.
  for (std::int64_t column = job.n / kLanes * kLanes; column < job.n; ++column) {
    for (std::int64_t i = 0; i < job.m; ++i) {
      Real sum = job.add ? job.c[i * job.c_row + column] : 0;
      for (std::int64_t j = 0; j < job.k; ++j)
        sum += data[i * a_row + j * a_column] * job.b[j * job.b_row + column];
      job.c[i * job.c_row + column] = sum;
    }
  }
}

// The tile's height leaves room in each set's registers: 32 of 16 floats, 16 of 8, 16 of 4; half as
// many doubles.
void multiply_any(const Job<float>& job) { multiply<4, 2>(job); }
void multiply_any(const Job<double>& job) { multiply<2, 1>(job); }
#if defined(__x86_64__)
__attribute__((target("arch=x86-64-v3"))) void multiply_v3(const Job<float>& job) {
  multiply<8, 6>(job);
}
__attribute__((target("arch=x86-64-v3"))) void multiply_v3(const Job<double>& job) {
  multiply<4, 2>(job);
}
__attribute__((target("arch=x86-64-v4"))) void multiply_v4(const Job<float>& job) {
  multiply<16, 12>(job);
}
__attribute__((target("arch=x86-64-v4"))) void multiply_v4(const Job<double>& job) {
  multiply<8, 12>(job);
}
#endif

template <class Real>
void run(const Job<Real>& job) {
#if defined(__x86_64__)
  using Multiply = void (*)(const Job<Real>&);
  static const Multiply best = __builtin_cpu_supports("x86-64-v4")   ? Multiply{multiply_v4}
                               : __builtin_cpu_supports("x86-64-v3") ? Multiply{multiply_v3}
                                                                     : Multiply{multiply_any};
  best(job);
#else
  multiply_any(job);
#endif
}

}  // namespace

template <class Real>
void small_matmul(std::int64_t m, std::int64_t n, std::int64_t k, Strided<Real> a, const Real* b,
                  std::int64_t b_row, Real* c, std::int64_t c_row, Write write) {
  run<Real>({m, n, k, a, b, b_row, kLanes, c, c_row, write == Write::Add});
}

template <class Real>
void pack_panels(const Real* x, std::int64_t x_row, std::int64_t n, std::int64_t k, Real* panels) {
  for (std::int64_t from = 0; from < n; from += kLanes, panels += k * kLanes) {
    const std::int64_t rows = std::min(kLanes, n - from);
    if (rows < kLanes) std::fill_n(panels, k * kLanes, Real{0});
    for (std::int64_t i = 0; i < rows; ++i) {
      const Real* row = x + (from + i) * x_row;
      for (std::int64_t j = 0; j < k; ++j) panels[j * kLanes + i] = row[j];
    }
  }
}

template <class Real>
void matmul_panels(std::int64_t m, std::int64_t k, Strided<Real> a, const Real* panels,
                   std::int64_t count, Real* c, std::int64_t c_row) {
  run<Real>({m, count * kLanes, k, a, panels, kLanes, k * kLanes, c, c_row, false});
}

template void small_matmul(std::int64_t, std::int64_t, std::int64_t, Strided<float>, const float*,
                           std::int64_t, float*, std::int64_t, Write);
template void pack_panels(const float*, std::int64_t, std::int64_t, std::int64_t, float*);
template void matmul_panels(std::int64_t, std::int64_t, Strided<float>, const float*, std::int64_t,
                            float*, std::int64_t);
template void small_matmul(std::int64_t, std::int64_t, std::int64_t, Strided<double>, const double*,
                           std::int64_t, double*, std::int64_t, Write);
template void pack_panels(const double*, std::int64_t, std::int64_t, std::int64_t, double*);
template void matmul_panels(std::int64_t, std::int64_t, Strided<double>, const double*,
                            std::int64_t, double*, std::int64_t);

}  // namespace hone::rl
