// Writes what a run says into the store, in order, without holding up whoever watches the run.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "services/worker/heartbeat.h"
#include "storage/repo/leases.h"

namespace hone::worker {

/// A bounded queue of writes, carried out one after the other on a thread of its own. A write that
/// meets a store out of reach is tried again until it gets through or the lease is lost; one that
/// is refused as an old owner's marks the lease as lost, and nothing after it is written.
class Recorder {
 public:
  using Written = storage::Written;
  /// Throws Error{Busy} when the store cannot be reached: the only failure worth another try.
  using Write = std::function<Written()>;

  explicit Recorder(Heartbeat& heartbeat);
  /// Leaves unwritten what finish() did not wait for.
  ~Recorder();
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  /// `name` says what it is in the log.
  void put(std::string name, Write write);
  /// True when the run should be read no further until the store has caught up.
  bool full() const;
  /// Waits until all is written, or the lease is lost (false).
  bool finish();

 private:
  static constexpr std::size_t kFull = 1000;
  struct Item {
    std::string name;
    Write write;
  };

  void run();
  void carry_out(const Item& item);

  Heartbeat& heartbeat_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Item> items_;  // the first one is being written
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace hone::worker
