// Events as JSON lines on standard output, and the signals that steer a job: SIGTERM and SIGINT
// stop it at the next step boundary, SIGUSR1 pauses it there, SIGUSR2 lets it go on.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>

#include "rl/train/observer.h"

namespace hone::run {

/// Blocks those signals in the calling thread, in those it starts and in what it execs, where they
/// wait to be listened to. Whether any was not blocked before.
bool hold_signals();

/// Takes the held signals from now on, on a thread of its own; call once. A thread that does not
/// hold them, because a library started it before main did, would die of them: see main.cpp.
void listen_to_signals();

/// Ends the process with 75 as soon as the reader of standard output, when that is a pipe, is gone.
/// A parent that was killed cannot tell us so.
void watch_parent();

class EventWriter : public rl::Observer {
 public:
  /// Paths in events are told relative to `root`.
  explicit EventWriter(std::filesystem::path root) : root_(std::move(root)) {}

  void progress(std::string_view stage, std::int64_t done, std::int64_t total,
                double eta_s) override;
  void metrics(std::int64_t step, std::int64_t total_steps, double eta_s,
               const rl::Values& values) override;
  void checkpoint(std::int64_t step, const std::filesystem::path& path) override;
  void message(std::string_view level, const std::string& text) override;
  void evaluation(const rl::Values& values) override;
  bool stop_requested() override;

 private:
  using Clock = std::chrono::steady_clock;
  void write(const std::string& line);

  std::filesystem::path root_;
  std::string last_progress_, last_stage_;
  std::int64_t last_done_ = -1, stage_begun_at_ = 0;
  Clock::time_point stage_start_ = Clock::now();
  Clock::time_point last_written_ = Clock::now();
};

}  // namespace hone::run
