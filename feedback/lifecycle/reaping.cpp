#include "feedback/lifecycle/reaping.h"

#include <utility>

namespace hone::feedback {

std::vector<Beat> HeartbeatWatch::poll(const std::vector<Beat>& beats, Time now) {
  // Nobody watched during a gap, so nothing is known about it: every wait starts anew.
  const bool unbroken = polled_ && now - last_poll_ <= longest_gap_;
  polled_ = true;
  last_poll_ = now;

  std::vector<Beat> gone;
  std::map<std::string, Seen> seen;
  for (const auto& beat : beats) {
    const auto before = seen_.find(beat.job);
    const bool still = unbroken && before != seen_.end() && before->second.epoch == beat.epoch &&
                       before->second.heartbeat_no == beat.heartbeat_no;
    const Time since = still ? before->second.since : now;
    if (now - since >= lease_) gone.push_back(beat);
    seen[beat.job] = {beat.epoch, beat.heartbeat_no, since};
  }
  seen_ = std::move(seen);
  return gone;
}

}  // namespace hone::feedback
