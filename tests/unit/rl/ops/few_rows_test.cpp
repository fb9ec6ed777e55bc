#include "rl/ops/few_rows.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
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

// Depths around a step of both kinds, none, and what is left over.
constexpr std::int64_t kDepths[] = {1, 15, 16, 17, 31, 32, 33, 64, 100, 576},
                       kWidths[] = {1, 7, 33};

TEST(FewRows, EqualsSumsByHandWithAndWithoutABase) {
  for (std::int64_t m = 1; m <= kFewRows; ++m)
    for (const auto n : kWidths)
      for (const auto k : kDepths) {
        const auto x = numbers(m * k, 1), w = numbers(n * k, 2), base = numbers(m * n, 3);
        const auto w16 = halves(w);
        std::vector<float> y(base.size()), y16(base.size());
        few_rows(m, n, k, x.data(), w.data(), nullptr, y.data());
        few_rows(m, n, k, x.data(), w16.data(), base.data(), y16.data());
        for (std::int64_t i = 0; i < m; ++i)
          for (std::int64_t j = 0; j < n; ++j) {
            double exact = 0, exact16 = 0;
            for (std::int64_t t = 0; t < k; ++t) {
              const auto a = static_cast<std::size_t>(i * k + t),
                         b = static_cast<std::size_t>(j * k + t);
              exact += static_cast<double>(x[a]) * w[b];
              exact16 += static_cast<double>(rounded(x[a])) * rounded(w[b]);
            }
            const auto at = static_cast<std::size_t>(i * n + j);
            ASSERT_NEAR(y[at], exact, 1e-6 * (1 + static_cast<double>(k)))
                << m << " " << n << " " << k;
            // One rounding to 8 bits.
            ASSERT_NEAR(y16[at], exact16 + base[at], 1e-6 + std::abs(exact16) / 250 + 1e-6)
                << m << " " << n << " " << k;
          }
      }
}

TEST(FewRows, ARowsBitsDoNotDependOnItsNeighbours) {
  const std::int64_t n = 37, k = 203;
  const auto x = numbers(kFewRows * k, 1), w = numbers(n * k, 2);
  const auto w16 = halves(w);
  std::vector<float> all(static_cast<std::size_t>(kFewRows * n)), one(static_cast<std::size_t>(n));
  for (const bool bf16 : {false, true}) {
    const auto product = [&](std::int64_t m, const float* from, float* to) {
      if (bf16)
        few_rows(m, n, k, from, w16.data(), nullptr, to);
      else
        few_rows(m, n, k, from, w.data(), nullptr, to);
    };
    product(kFewRows, x.data(), all.data());
    for (std::int64_t i = 0; i < kFewRows; ++i) {
      product(1, x.data() + i * k, one.data());
      EXPECT_EQ(std::memcmp(one.data(), all.data() + i * n, static_cast<std::size_t>(n) * 4), 0)
          << i;
    }
  }
}

}  // namespace
}  // namespace hone::rl
