// Random numbers as functions of integers: Philox4x32-10 (Salmon et al. 2011), keyed by seed and
// stream, counted by what the number is for. No state, so nothing to save and nothing that batch
// composition, order of work or a resume can change.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace hone::rl {

/// Ten rounds of Philox4x32; equal to Random123's philox4x32.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

/// What random numbers are used for. Each stream can be drawn from alone without moving another.
enum class Stream : std::uint32_t {
  Init = 1,
  Order = 2,
  Sample = 3,
  Eval = 4,
  Bootstrap = 5,
  Dropout = 6
};

/// The numbers of one stream of one seed, addressed by two integers. Copyable, const, thread-safe.
class Random {
 public:
  Random(std::uint64_t seed, Stream stream);

  /// 128 random bits at address (a, b).
  std::array<std::uint32_t, 4> bits(std::uint64_t a, std::uint64_t b) const;
  /// In [0, 1), 53 bits.
  double uniform(std::uint64_t a, std::uint64_t b) const;
  /// In [0, bound), without bias; bound > 0.
  std::uint64_t below(std::uint64_t bound, std::uint64_t a, std::uint64_t b) const;
  /// A permutation of 0..count-1 (Fisher-Yates); another for each `which`.
  std::vector<std::int64_t> permutation(std::int64_t count, std::uint64_t which) const;

 private:
  std::array<std::uint32_t, 2> key_;
};

}  // namespace hone::rl
