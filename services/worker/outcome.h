// What the end of hone-run means: whose fault, and what is to happen next.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "services/worker/child.h"

namespace hone::worker {

enum class Blame { None, User, Infra, Bug };
std::string_view to_string(Blame blame);

/// Why this worker ended the child, when it did.
enum class Ended { ByItself, Cancelled, Drained, LeaseLost, Stalled };

/// What the attempt came to. `code` is a stable word for programs, `detail` a sentence for the
/// person who started the run.
struct Outcome {
  enum class Kind {
    Succeeded,
    Cancelled,
    Failed,     ///< for good: nothing changes by trying again
    Retry,      ///< from the newest checkpoint, within the budget of its blame
    LeaseLost,  ///< not ours to record
  };
  Kind kind = Kind::Failed;
  Blame blame = Blame::None;
  std::string code = {};
  std::string detail = {};
  std::string param = {};  ///< which setting of the spec, when the user is to mend one
  std::int64_t line = 0;   ///< which line of the data, or 0
  std::int64_t step = 0;   ///< where it happened, when known

  /// Two attempts that end at one step with one signature met the same thing.
  std::string signature() const { return std::string(to_string(blame)) + ":" + code; }
};

/// hone-run's `result.json`: it says more than the exit code, which counts when it is missing.
struct RunResult {
  bool ok = false;
  std::string blame, code, detail, param;
  std::int64_t line = 0, step = 0;
};

/// Nothing when the file is missing, too large, or not what hone-run writes.
std::optional<RunResult> read_result(const std::filesystem::path& file);

/// The table of whose fault it is.
Outcome outcome_of(const Exit& exit, Ended ended, const std::optional<RunResult>& result);

}  // namespace hone::worker
