#include "rl/ops/small_matmul.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "rl/random/philox.h"

namespace hone::rl {
namespace {

template <class Real>
std::vector<Real> numbers(std::int64_t count, std::uint64_t which) {
  std::vector<Real> out(static_cast<std::size_t>(count));
  const Random random(3, Stream::Init);
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<Real>(2 * random.uniform(which, i) - 1);
  return out;
}

/// Row i, column j of a times b, summed in f64.
template <class Real>
double entry(Strided<Real> a, const Real* b, std::int64_t b_row, std::int64_t k, std::int64_t i,
             std::int64_t j) {
  double sum = 0;
  for (std::int64_t x = 0; x < k; ++x)
    sum += static_cast<double>(a.data[i * a.row + x * a.column]) * b[x * b_row + j];
  return sum;
}

/// A bound of f32, in f64 as many units in the last place.
template <class Real>
double close(double f32) {
  return sizeof(Real) == 4 ? f32 : f32 * 0x1p-29;
}

template <class Real>
class SmallMatmul : public ::testing::Test {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(SmallMatmul, Reals);

// Heights around every tile's, widths around a register's, and k of one.
constexpr std::int64_t kHeights[] = {1, 2, 5, 6, 7, 11, 12, 13, 25, 48},
                       kWidths[] = {1, 8, 15, 16, 17, 64}, kDepths[] = {1, 2, 48, 64};

TYPED_TEST(SmallMatmul, EqualsSumsByHandForEveryShapeAndBothOrientations) {
  for (const auto m : kHeights)
    for (const auto n : kWidths)
      for (const auto k : kDepths) {
        const auto a = numbers<TypeParam>(m * k, 1), b = numbers<TypeParam>(k * (n + 3), 2);
        for (const bool turned : {false, true}) {
          const Strided<TypeParam> left{a.data(), turned ? 1 : k, turned ? m : 1};
          auto c = numbers<TypeParam>(m * (n + 1), 3);
          const auto before = c;
          small_matmul(m, n, k, left, b.data(), n + 3, c.data(), n + 1, Write::Replace);
          for (std::int64_t i = 0; i < m; ++i)
            for (std::int64_t j = 0; j < n; ++j)
              ASSERT_NEAR(c[static_cast<std::size_t>(i * (n + 1) + j)],
                          entry(left, b.data(), n + 3, k, i, j),
                          close<TypeParam>(2e-6 * static_cast<double>(k)))
                  << m << " x " << n << " x " << k;
          for (std::int64_t i = 0; i < m; ++i)  // the column past the last one is somebody else's
            ASSERT_EQ(c[static_cast<std::size_t>(i * (n + 1) + n)],
                      before[static_cast<std::size_t>(i * (n + 1) + n)]);
        }
      }
}

TYPED_TEST(SmallMatmul, AddsWhenAsked) {
  const auto a = numbers<TypeParam>(13 * 5, 1), b = numbers<TypeParam>(5 * 20, 2);
  auto c = numbers<TypeParam>(13 * 20, 3);
  const auto before = c;
  small_matmul(13, 20, 5, {a.data(), 5, 1}, b.data(), 20, c.data(), 20, Write::Add);
  for (std::size_t i = 0; i < c.size(); ++i)
    EXPECT_NEAR(
        c[i],
        before[i] + entry(Strided{a.data(), 5, 1}, b.data(), 20, 5,
                          static_cast<std::int64_t>(i) / 20, static_cast<std::int64_t>(i) % 20),
        close<TypeParam>(1e-5));
}

TYPED_TEST(SmallMatmul, PanelsGiveTheTransposedProductAndZerosPastTheLastRow) {
  constexpr std::int64_t m = 7, n = 21,
                         k = 9;  // 21 rows: one whole panel and five lanes of the next
  const auto a = numbers<TypeParam>(m * k, 1), x = numbers<TypeParam>(n * (k + 2), 2);
  std::vector<TypeParam> panels(2 * k * kLanes, 7), c(m * 2 * kLanes, 7);
  pack_panels(x.data(), k + 2, n, k, panels.data());
  matmul_panels(m, k, {a.data(), k, 1}, panels.data(), 2, c.data(), 2 * kLanes);
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t j = 0; j < 2 * kLanes; ++j) {
      double sum = 0;
      for (std::int64_t d = 0; d < k && j < n; ++d)
        sum += static_cast<double>(a[static_cast<std::size_t>(i * k + d)]) *
               x[static_cast<std::size_t>(j * (k + 2) + d)];
      EXPECT_NEAR(c[static_cast<std::size_t>(i * 2 * kLanes + j)], sum, close<TypeParam>(1e-5));
    }
}

TYPED_TEST(SmallMatmul, ARowHasTheSameBitsWhateverItsNeighbours) {
  const auto a = numbers<TypeParam>(25 * 64, 1), b = numbers<TypeParam>(64 * 64, 2);
  std::vector<TypeParam> together(25 * 64), alone(64);
  small_matmul(25, 64, 64, {a.data(), 64, 1}, b.data(), 64, together.data(), 64, Write::Replace);
  for (std::int64_t i = 0; i < 25; ++i) {
    small_matmul(1, 64, 64, {a.data() + i * 64, 64, 1}, b.data(), 64, alone.data(), 64,
                 Write::Replace);
    for (std::size_t j = 0; j < 64; ++j)
      ASSERT_EQ(alone[j], together[static_cast<std::size_t>(i) * 64 + j]);
  }
}

}  // namespace
}  // namespace hone::rl
