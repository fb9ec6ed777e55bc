// When is a job's holder gone? When its heartbeat counter has not moved for one lease, by the
// watcher's own steady clock, over polls without a gap. No stored time is compared: a clock that
// jumps or a database that was away must not expire every lease at once.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace hone::feedback {

/// One job's counter at one poll.
struct Beat {
  std::string job;
  std::int64_t epoch = 0;
  std::int64_t heartbeat_no = 0;
};

/// Remembers when each counter last moved. One thread.
class HeartbeatWatch {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// lease: how long a counter may stand still. longest_gap: polls further apart than this do not
  /// count as watching, and every wait starts anew.
  HeartbeatWatch(std::chrono::milliseconds lease, std::chrono::milliseconds longest_gap)
      : lease_(lease), longest_gap_(longest_gap) {}

  /// Takes one poll, made at `now`; returns the beats whose holder is taken to be gone.
  std::vector<Beat> poll(const std::vector<Beat>& beats, Time now);

 private:
  struct Seen {
    std::int64_t epoch = 0;
    std::int64_t heartbeat_no = 0;
    Time since;
  };
  std::chrono::milliseconds lease_;
  std::chrono::milliseconds longest_gap_;
  std::map<std::string, Seen> seen_;
  Time last_poll_{};
  bool polled_ = false;
};

}  // namespace hone::feedback
