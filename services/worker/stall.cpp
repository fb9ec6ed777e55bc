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

Stall::Duration Stall::limit() const {
  if (!stepped_) return limits_.before_first_step;
  if (steps_.empty()) return limits_.least;
  std::vector<Duration> sorted(steps_.begin(), steps_.end());
  const auto at = sorted.begin() + static_cast<std::ptrdiff_t>((sorted.size() - 1) * 99 / 100);
  std::nth_element(sorted.begin(), at, sorted.end());
  return std::max(limits_.least, 2 * *at);
}

}  // namespace hone::worker
