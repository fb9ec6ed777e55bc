#include "rl/random/philox.h"

#include <utility>

namespace hone::rl {

std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> c,
                                        std::array<std::uint32_t, 2> k) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = 0xD2511F53ull * c[0];
    const std::uint64_t p1 = 0xCD9E8D57ull * c[2];
    c = {static_cast<std::uint32_t>(p1 >> 32) ^ c[1] ^ k[0], static_cast<std::uint32_t>(p1),
         static_cast<std::uint32_t>(p0 >> 32) ^ c[3] ^ k[1], static_cast<std::uint32_t>(p0)};
    k = {k[0] + 0x9E3779B9u, k[1] + 0xBB67AE85u};
  }
  return c;
}

Random::Random(std::uint64_t seed, Stream stream) {
  // The key has 64 bits and the seed takes them all, so the stream is mixed in by one Philox call.
  const auto mixed =
      philox4x32({static_cast<std::uint32_t>(stream), 0x686f6e65u, 0, 0},
                 {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
  key_ = {mixed[0], mixed[1]};
}

std::array<std::uint32_t, 4> Random::bits(std::uint64_t a, std::uint64_t b) const {
  return philox4x32({static_cast<std::uint32_t>(a), static_cast<std::uint32_t>(a >> 32),
                     static_cast<std::uint32_t>(b), static_cast<std::uint32_t>(b >> 32)},
                    key_);
}

double Random::uniform(std::uint64_t a, std::uint64_t b) const {
  const auto r = bits(a, b);
  const std::uint64_t word = (static_cast<std::uint64_t>(r[0]) << 32) | r[1];
  return static_cast<double>(word >> 11) * 0x1p-53;
}

std::uint64_t Random::below(std::uint64_t bound, std::uint64_t a, std::uint64_t b) const {
  // Words past the last whole multiple of bound are thrown away; a word is rejected with
  // probability below bound / 2^64. Further blocks of one address differ in the top byte of b.
  const std::uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
  for (std::uint64_t attempt = 0;; ++attempt) {
    const auto r = bits(a, b + (attempt << 56));
    for (const auto& [high, low] : {std::pair{r[0], r[1]}, std::pair{r[2], r[3]}}) {
      const std::uint64_t word = (static_cast<std::uint64_t>(high) << 32) | low;
      if (word < limit) return word % bound;
    }
  }
}

std::vector<std::int64_t> Random::permutation(std::int64_t count, std::uint64_t which) const {
  std::vector<std::int64_t> order(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) order[static_cast<std::size_t>(i)] = i;
  for (std::int64_t i = count - 1; i > 0; --i) {
    const auto j = below(static_cast<std::uint64_t>(i + 1), which, static_cast<std::uint64_t>(i));
    std::swap(order[static_cast<std::size_t>(i)], order[j]);
  }
  return order;
}

}  // namespace hone::rl
