// Watches over one hone-run: reads what it says, and ends or pauses it when it must.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "services/worker/child.h"
#include "services/worker/heartbeat.h"
#include "services/worker/outcome.h"
#include "services/worker/stall.h"

namespace hone::worker {

struct Supervision {
  /// hone-run's events, one line each, on the calling thread.
  std::function<void(std::string_view line, Stall& stall)> on_line;
  /// True while nobody can take more lines: the child then waits in its own write.
  std::function<bool()> hold_back = [] { return false; };
  /// Called about ten times a second.
  std::function<void()> on_tick = [] {};
  std::filesystem::path error_log;  ///< gets the child's standard error, up to a bound
  Stall::Limits stall;
  /// From the request to end at a step boundary with a checkpoint, to SIGKILL; one and a half long
  /// steps more, 120 s at most.
  std::chrono::milliseconds grace{20'000};
};

struct Supervised {
  Exit exit;
  Ended ended = Ended::ByItself;
};

/// Starts the child and stays with it until it has ended. The child is told to
///   wait at its next step boundary while the lease is in doubt (SIGUSR1), go on when it is proven
///   (SIGUSR2), stop with a checkpoint on cancel or when this worker is to stop (SIGTERM, then
///   SIGKILL after the grace);
/// and is killed with its group when the lease is lost or it gives no sign of progress.
/// Call it from a thread that lives until it returns: the child dies with the thread.
Supervised supervise(const Child::Options& program, const Supervision& how,
                     const Heartbeat& heartbeat, std::stop_token stop);

}  // namespace hone::worker
