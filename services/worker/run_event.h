// The lines that hone-run writes to its standard output, taken apart and thinned.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hone::worker {

/// One line of hone-run. `data` is what a person's page gets: the line's members without "type",
/// as JSON text.
struct RunEvent {
  enum class Type { Progress, Metrics, Checkpoint, Evaluation, Message };
  Type type = Type::Message;
  std::string data = "{}";
  std::string stage;        ///< Progress
  std::int64_t step = 0;    ///< Metrics, Checkpoint
  std::string path;         ///< Checkpoint: its folder, below the job's
  std::string level, text;  ///< Message: "info" or "warning", and a sentence
};

/// Nothing when the line is not one of hone-run's events.
std::optional<RunEvent> parse_run_event(std::string_view line);

/// Lets at most one progress line a second through, and never keeps the newest one back for longer.
/// A change of stage goes through at once.
class ProgressGate {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr auto kInterval = std::chrono::seconds(1);

  /// What is to be recorded now: the event itself, or nothing yet.
  std::optional<RunEvent> offer(RunEvent event, Time now);
  /// The one kept back, once its time has come.
  std::optional<RunEvent> due(Time now);
  /// The one kept back, at the end.
  std::optional<RunEvent> flush();

 private:
  std::optional<RunEvent> kept_;
  std::string stage_;
  std::optional<Time> passed_;
};

}  // namespace hone::worker
