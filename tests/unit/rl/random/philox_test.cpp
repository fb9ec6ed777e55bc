#include "rl/random/philox.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <set>

namespace hone::rl {
namespace {

TEST(Philox, EqualsThePublishedVectors) {
  // Random123's kat_vectors for philox4x32 with 10 rounds.
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (std::array<std::uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (std::array<std::uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (std::array<std::uint32_t, 4>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Random, StreamsOfOneSeedDiffer) {
  EXPECT_NE(Random(1, Stream::Order).bits(0, 0), Random(1, Stream::Sample).bits(0, 0));
  EXPECT_NE(Random(1, Stream::Order).bits(0, 0), Random(2, Stream::Order).bits(0, 0));
  EXPECT_EQ(Random(1, Stream::Order).bits(3, 4), Random(1, Stream::Order).bits(3, 4));
}

TEST(Random, UniformLiesInTheUnitIntervalWithMeanAHalf) {
  const Random random(3, Stream::Sample);
  double sum = 0;
  for (std::uint64_t i = 0; i < 10000; ++i) {
    const double u = random.uniform(0, i);
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    sum += u;
  }
  EXPECT_NEAR(sum / 10000, 0.5, 0.015);  // 5 standard errors of 0.0029
}

TEST(Random, BelowReachesEveryNumberAboutEquallyOften) {
  const Random random(3, Stream::Bootstrap);
  int counts[7] = {};
  for (std::uint64_t i = 0; i < 7000; ++i) ++counts[random.below(7, i, 0)];
  for (const int count : counts) EXPECT_NEAR(count, 1000, 150);  // 5 standard deviations of 29
}

TEST(Random, PermutationHoldsEachNumberOnceAndChangesWithTheEpoch) {
  const Random random(3, Stream::Order);
  const auto first = random.permutation(1000, 0), second = random.permutation(1000, 1);
  EXPECT_EQ(std::set<std::int64_t>(first.begin(), first.end()).size(), 1000u);
  EXPECT_EQ(*std::max_element(first.begin(), first.end()), 999);
  EXPECT_NE(first, second);
  EXPECT_EQ(first, random.permutation(1000, 0));
}

}  // namespace
}  // namespace hone::rl
