// How far a command is, on standard error, for whoever waits.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace hone::run {

/// Silent for two seconds; then "what  45 %, 12 s left", rewritten in place on a terminal, else a
/// line now and then.
class Progress {
 public:
  explicit Progress(std::string what) : what_(std::move(what)) {}
  ~Progress();
  void operator()(std::int64_t done, std::int64_t total);

 private:
  using Clock = std::chrono::steady_clock;
  std::string what_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point told_ = start_;
  bool shown_ = false;
};

}  // namespace hone::run
