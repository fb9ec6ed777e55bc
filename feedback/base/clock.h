// The time of day, handed in where order or durability depends on it.
#pragma once

#include <chrono>

namespace hone {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::chrono::system_clock::time_point now() const = 0;
};

}  // namespace hone
