// Chance, handed in: tests hand in a sequence.
#pragma once

#include <cstddef>

namespace hone {

class Random {
 public:
  virtual ~Random() = default;
  /// Fills `count` bytes; secrets are made of these.
  virtual void fill(void* bytes, std::size_t count) = 0;
};

}  // namespace hone
