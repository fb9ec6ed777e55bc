#include "rl/ops/few_rows.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "rl/random/philox.h"

namespace hone::rl {
namespace {

std::vector<float> numbers(std::int64_t count, std::uint64_t which) {
  std::vector<float> out(static_cast<std::size_t>(count));
  const Random random(3, Stream::Init);
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<float>(2 * random.uniform(which, i) - 1);
  return out;
}

float rounded(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, 4);
  bits = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000;
  std::memcpy(&value, &bits, 4);
  return value;
}

std::vector<std::uint16_t> halves(const std::vector<float>& values) {
  std::vector<std::uint16_t> out;
  for (const float v : values) {
    const float r = rounded(v);
    std::uint32_t bits;
    std::memcpy(&bits, &r, 4);
    out.push_back(static_cast<std::uint16_t>(bits >> 16));
  }
  return out;
}

// Depths around a step of every kind, none, and what is left over; widths around a tile's.
constexpr std::int64_t kDepths[] = {1, 15, 16, 17, 31, 32, 33, 64, 100, 576},
                       kWidths[] = {1, 7, 33, 131};

/// All up to eight, then those around a panel's and the most.
std::vector<std::int64_t> heights(bool bf16) {
  std::vector<std::int64_t> out;
  const auto most = most_few_rows(bf16);
  for (std::int64_t m = 1; m <= most; ++m)
    if (m <= kFewRows + 1 || m % 16 < 2 || m == most) out.push_back(m);
  return out;
}

/// Calls check(i, j, x w^T at (i, j)) with every sum by hand.
template <class Check>
void by_hand(std::int64_t m, std::int64_t n, std::int64_t k, const std::vector<float>& x,
             const std::vector<float>& w, Check check) {
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (std::int64_t t = 0; t < k; ++t)
        sum += static_cast<double>(x[static_cast<std::size_t>(i * k + t)]) *
               w[static_cast<std::size_t>(j * k + t)];
      check(static_cast<std::size_t>(i * n + j), sum);
    }
}

std::vector<float> all_rounded(std::vector<float> values) {
  for (auto& value : values) value = rounded(value);
  return values;
}

TEST(FewRows, OfF32EqualSumsByHandWithAndWithoutABase) {
  for (const auto m : heights(false))
    for (const auto n : kWidths)
      for (const auto k : kDepths) {
        const auto x = numbers(m * k, 1), w = numbers(n * k, 2), base = numbers(m * n, 3);
        std::vector<float> y(base.size()), added(base.size());
        few_rows(m, n, k, x.data(), w.data(), nullptr, y.data());
        few_rows(m, n, k, x.data(), w.data(), base.data(), added.data());
        by_hand(m, n, k, x, w, [&](std::size_t at, double sum) {
          const double near = 1e-6 * (1 + static_cast<double>(k));
          EXPECT_NEAR(y[at], sum, near) << m << " " << n << " " << k;
          EXPECT_EQ(added[at], base[at] + y[at]);
        });
        ASSERT_FALSE(HasFailure());
      }
}

TEST(FewRows, OfBf16EqualSumsByHandOfRoundedNumbersOrOfWeightsAloneRounded) {
  for (const auto m : heights(true))
    for (const auto n : kWidths)
      for (const auto k : kDepths) {
        const auto x = numbers(m * k, 1), w = all_rounded(numbers(n * k, 2)),
                   base = numbers(m * n, 3);
        const auto w16 = halves(w);
        std::vector<float> y(base.size()), added(base.size()), unrounded(base.size());
        few_rows(m, n, k, x.data(), w16.data(), nullptr, y.data());
        few_rows(m, n, k, x.data(), w16.data(), base.data(), added.data());
        few_rows(m, n, k, x.data(), w16.data(), nullptr, unrounded.data(), Rounding::Weights);
        by_hand(m, n, k, all_rounded(x), w, [&](std::size_t at, double sum) {
          // One rounding to 8 bits.
          EXPECT_NEAR(y[at], sum, 1e-6 * (1 + static_cast<double>(k)) + std::abs(sum) / 250)
              << m << " " << n << " " << k;
          EXPECT_EQ(y[at], rounded(y[at]));
          EXPECT_EQ(added[at], base[at] + y[at]);
        });
        // x, which is at most 1, enters with an error of 2^-18 at most: two bf16 hold it.
        by_hand(m, n, k, x, w, [&](std::size_t at, double sum) {
          EXPECT_NEAR(unrounded[at], sum,
                      (1e-6 + std::ldexp(1, -18)) * (1 + static_cast<double>(k)))
              << m << " " << n << " " << k;
        });
        ASSERT_FALSE(HasFailure());
      }
}

// Up to eight rows and above go by two ways, each of which sums in its one order.
TEST(FewRows, ARowsBitsDoNotDependOnItsNeighbours) {
  for (const std::int64_t k : {203, 576})
    for (const bool bf16 : {false, true})
      for (const auto& [least, most] :
           {std::pair{std::int64_t{1}, kFewRows}, std::pair{kFewRows + 1, most_few_rows(bf16)}}) {
        if (most < least) continue;  // a machine without the second way
        const std::int64_t n = 133;
        const auto x = numbers(2 * most * k, 1), w = numbers(n * k, 2);
        const auto w16 = halves(w);
        std::vector<float> all(static_cast<std::size_t>(most * n)),
            some(static_cast<std::size_t>(least * n));
        const auto product = [&](std::int64_t m, const float* from, float* to) {
          if (bf16)
            few_rows(m, n, k, from, w16.data(), nullptr, to);
          else
            few_rows(m, n, k, from, w.data(), nullptr, to);
        };
        product(most, x.data(), all.data());
        for (std::int64_t i = 0; i < most; ++i) {
          product(least, x.data() + i * k, some.data());
          EXPECT_EQ(std::memcmp(some.data(), all.data() + i * n, static_cast<std::size_t>(n) * 4),
                    0)
              << k << " " << bf16 << " " << i;
        }
      }
}

}  // namespace
}  // namespace hone::rl
