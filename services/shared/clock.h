// The real clock and the real chance, behind the seams of feedback/base.
#pragma once

#include "feedback/base/clock.h"
#include "feedback/base/random.h"

namespace hone::shared {

class SystemClock : public Clock {
 public:
  std::chrono::system_clock::time_point now() const override;
};

/// Bytes of the operating system's generator (getrandom). Any thread.
class SystemRandom : public Random {
 public:
  void fill(void* bytes, std::size_t count) override;
};

/// RFC 3339 in UTC with milliseconds: `2026-01-31T09:30:00.000Z`.
std::string to_rfc3339(std::chrono::system_clock::time_point at);

}  // namespace hone::shared
