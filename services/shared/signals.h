// SIGINT and SIGTERM, once and in one place: a program asks whether it was told to stop.
#pragma once

#include <functional>
#include <memory>

namespace hone::shared {

/// Blocks SIGINT and SIGTERM in the calling thread and those it starts, ignores SIGPIPE, and waits
/// for them on a thread of its own: `on_stop` runs there at the first; a second one ends the
/// process at once with status 130. Make it before any other thread, once in a process.
class StopSignals {
 public:
  explicit StopSignals(std::function<void()> on_stop);
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hone::shared
