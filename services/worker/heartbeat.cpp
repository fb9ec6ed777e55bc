#include "services/worker/heartbeat.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "services/shared/log.h"

namespace hone::worker {

using std::chrono::steady_clock;

Heartbeat::Heartbeat(std::function<Renewal()> renew, Times times, Time leased_at)
    : renew_(std::move(renew)), times_(times), answered_(leased_at), thread_([this] { run(); }) {}

Heartbeat::~Heartbeat() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

Heartbeat::State Heartbeat::state() const {
  const auto silence = steady_clock::now() - answered_.load();
  if (lost_ || silence > times_.lost_after) return State::Lost;
  return silence > times_.doubt_after ? State::InDoubt : State::Ours;
}

void Heartbeat::run() {
  // After a beat without an answer the next one comes soon: the lease runs out meanwhile.
  const auto soon =
      std::min(times_.interval, std::max(times_.interval / 5, std::chrono::milliseconds(50)));
  auto wait = times_.interval;
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, wait, [this] { return stop_; }) && !lost_) {
    lock.unlock();
    wait = beat() ? times_.interval : soon;
    lock.lock();
  }
}

bool Heartbeat::beat() {
  const auto sent = steady_clock::now();
  try {
    const auto renewal = renew_();
    if (!renewal.ours) {
      lost_ = true;
      return true;
    }
    if (renewal.cancel_requested) cancel_requested_ = true;
    answered_ = sent;
    if (std::exchange(silent_, false)) shared::log_info("heartbeat_answered_again");
    return true;
  } catch (const std::exception& failed) {
    if (!std::exchange(silent_, true))
      shared::log_warning("heartbeat_unanswered", {{"reason", failed.what()}});
    return false;
  }
}

}  // namespace hone::worker
