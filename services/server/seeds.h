// Seeds for jobs that were given none: drawn once, then part of the job's spec.
#pragma once

#include <cstdint>

#include "feedback/base/random.h"

namespace hone::server {

/// 31 random bits: a number that every client and file format keeps exactly.
inline std::int64_t draw_seed(Random& random) {
  std::uint32_t bits = 0;
  random.fill(&bits, sizeof bits);
  return bits & 0x7fffffffu;
}

}  // namespace hone::server
