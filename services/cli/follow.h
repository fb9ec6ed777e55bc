// Watching a run or job until it ends: a line that moves on a terminal, plain lines elsewhere.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "services/cli/http_client.h"

namespace hone::cli {

/// `kind` is "runs" or "jobs". Prints to standard error; survives a server that restarts. Returns
/// the run or job as it ended. Throws Busy when the server stays away for too long.
nlohmann::json follow(HttpClient& client, const std::string& kind, const std::string& id);

/// 0 for succeeded; else 1, after printing what went wrong, whose fault it is and what to do.
int exit_status(const nlohmann::json& ended);

/// What the latest events said, for one line of progress.
class ProgressLine {
 public:
  /// `type` and `data` of one event, or an object of progress from the run itself.
  void take(const std::string& type, const nlohmann::json& data);
  std::string stage() const { return stage_; }
  /// "train  step 12/60  loss 0.61  margin 0.42  2 min 10 s left"
  std::string text() const;

 private:
  std::string stage_;
  double done_ = 0, total_ = 0, eta_s_ = -1;
  nlohmann::json values_ = nlohmann::json::object();
};

}  // namespace hone::cli
