// Keeps a lease from a thread of its own, and knows when to doubt it.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace hone::worker {

/// What the store answers to one beat.
struct Renewal {
  bool ours = true;  ///< false: the job has another owner or an end, for good
  bool cancel_requested = false;
};

/// Renews one lease until it leaves scope. Any thread may ask for its state.
///
/// In doubt: so long without an answer that another worker may be given the job at any moment.
/// That alone does not end the work, since a database restart must not end every run: the run is
/// to wait, and goes on when an answer proves that the lease is still its own.
class Heartbeat {
 public:
  enum class State { Ours, InDoubt, Lost };
  struct Times {
    std::chrono::milliseconds interval{5'000};
    std::chrono::milliseconds doubt_after{
        12'000};  ///< shorter than the lease, by more than a step's pause
    std::chrono::milliseconds lost_after{std::chrono::minutes(10)};
  };
  using Time = std::chrono::steady_clock::time_point;

  /// `renew` throws when there is no answer; it must be bounded in time. `leased_at` was taken
  /// before the claim was sent.
  Heartbeat(std::function<Renewal()> renew, Times times, Time leased_at);
  ~Heartbeat();
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;

  /// By the clock, so that it is right even while a beat hangs.
  State state() const;
  bool cancel_requested() const { return cancel_requested_; }
  /// A write of ours was refused as an old owner's.
  void mark_lost() { lost_ = true; }

 private:
  void run();
  bool beat();

  const std::function<Renewal()> renew_;
  const Times times_;
  std::atomic<Time> answered_;  // when the newest beat with an answer was *sent*
  std::atomic<bool> lost_ = false;
  std::atomic<bool> cancel_requested_ = false;
  bool silent_ = false;  // the beat's thread alone: an outage is two lines of the log

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace hone::worker
