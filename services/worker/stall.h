// Tells a slow run from one that hangs.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>

namespace hone::worker {

/// Watches the signs of progress of one attempt. A run may be silent for max(60 s, twice its 99th
/// percentile step), and for ten minutes before its first step: loading a base from a cold disk
/// and the reference's log-probabilities take their time. Not for two threads at once.
class Stall {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Duration = std::chrono::steady_clock::duration;
  struct Limits {
    Duration before_first_step = std::chrono::minutes(10);
    Duration least = std::chrono::seconds(60);
  };

  explicit Stall(Time start, Limits limits) : limits_(limits), last_tick_(start) {}
  explicit Stall(Time start) : Stall(start, Limits{}) {}

  /// Any sign of life of the work itself: a line of progress, a checkpoint, an evaluation.
  void tick(Time now) { last_tick_ = now; }
  /// One optimizer step, or one sample, was finished.
  void step(Time now);
  /// The run was told to wait: that time is not its own.
  void resumed(Time now) { last_tick_ = last_step_ = now; }

  Duration limit() const;
  /// The 99th percentile of the newest steps' durations; zero before there are two.
  Duration long_step() const;
  bool stalled(Time now) const { return now - last_tick_ > limit(); }

 private:
  static constexpr std::size_t kKept =
      200;  // the newest steps; their 99th percentile is the third longest

  Limits limits_;
  Time last_tick_;
  Time last_step_{};
  std::deque<Duration> steps_;
  bool stepped_ = false;
};

}  // namespace hone::worker
