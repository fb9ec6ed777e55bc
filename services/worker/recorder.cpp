#include "services/worker/recorder.h"

#include <algorithm>
#include <chrono>
#include <exception>

#include "feedback/base/error.h"
#include "services/shared/log.h"

namespace hone::worker {

using namespace std::chrono_literals;

Recorder::Recorder(Heartbeat& heartbeat) : heartbeat_(heartbeat), thread_([this] { run(); }) {}

Recorder::~Recorder() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Recorder::put(std::string name, Write write) {
  {
    const std::lock_guard lock(mutex_);
    items_.push_back({std::move(name), std::move(write)});
  }
  changed_.notify_all();
}

bool Recorder::full() const {
  const std::lock_guard lock(mutex_);
  return items_.size() >= kFull;
}

bool Recorder::finish() {
  std::unique_lock lock(mutex_);
  while (!items_.empty() && heartbeat_.state() != Heartbeat::State::Lost)
    changed_.wait_for(lock, 100ms);
  return heartbeat_.state() != Heartbeat::State::Lost;
}

void Recorder::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stop_ || !items_.empty(); });
    if (stop_) return;
    const auto& item = items_.front();  // stays where it is while others are put behind it
    lock.unlock();
    carry_out(item);
    lock.lock();
    items_.pop_front();
    changed_.notify_all();
  }
}

void Recorder::carry_out(const Item& item) {
  auto wait = 100ms;
  while (heartbeat_.state() != Heartbeat::State::Lost) {
    try {
      if (item.write() == Written::Stale) {
        shared::log_warning("write_fenced", {{"write", item.name}});
        heartbeat_.mark_lost();
      }
      return;
    } catch (const Error& failed) {
      if (failed.code() != Code::Busy) {
        shared::log_error("write_refused", {{"write", item.name}, {"reason", failed.detail()}});
        return;
      }
    } catch (const std::exception& failed) {
      shared::log_error("write_refused", {{"write", item.name}, {"reason", failed.what()}});
      return;
    }
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, wait, [this] { return stop_; })) return;
    wait = std::min(wait * 2, 2'000ms);
  }
}

}  // namespace hone::worker
