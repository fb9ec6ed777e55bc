#include "services/worker/stall.h"

#include <algorithm>
#include <vector>

namespace hone::worker {

void Stall::step(Time now) {
  if (stepped_) {
    steps_.push_back(now - last_step_);
    if (steps_.size() > kKept) steps_.pop_front();
  }
  stepped_ = true;
  last_step_ = last_tick_ = now;
}

Stall::Duration Stall::long_step() const {
  if (steps_.empty()) return Duration::zero();
  std::vector<Duration> sorted(steps_.begin(), steps_.end());
  const auto at = sorted.begin() + static_cast<std::ptrdiff_t>((sorted.size() - 1) * 99 / 100);
  std::nth_element(sorted.begin(), at, sorted.end());
  return *at;
}

Stall::Duration Stall::limit() const {
  return stepped_ ? std::max(limits_.least, 2 * long_step()) : limits_.before_first_step;
}

}  // namespace hone::worker
