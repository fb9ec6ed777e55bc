// One attempt at one job: its lease, its folder, and the ways to speak of it to the store.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "services/worker/heartbeat.h"
#include "services/worker/outcome.h"
#include "services/worker/recorder.h"
#include "services/worker/run_event.h"
#include "services/worker/settings.h"
#include "services/worker/stall.h"
#include "services/worker/store.h"

namespace hone::worker {

struct Attempt {
  const Settings& settings;
  Store& store;
  const storage::Lease& lease;
  Heartbeat& heartbeat;
  Recorder& recorder;
  std::stop_token stop;
  std::int64_t last_step = 0;  ///< the newest step that hone-run has spoken of

  std::filesystem::path job_folder() const { return settings.jobs / lease.job.value; }
  std::filesystem::path folder() const;

  /// Reads or writes under the lease, waiting while the store is away. Throws LeaseLost.
  template <class F>
  auto patiently(F&& f) {
    return worker::patiently(store, heartbeat, std::forward<F>(f));
  }
  /// Recorded in order, behind what was said before.
  void say(storage::NewEvent event);
  void say(const RunEvent& event);
  void progress(const std::string& stage, std::int64_t done, std::int64_t total);
  void warn(const std::string& sentence);
  /// leased -> running -> publishing. Nothing when done; the outcome when the job is being
  /// cancelled. Throws LeaseLost.
  std::optional<Outcome> advance(const std::string& state);
};

/// What an attempt came to, and what a finished job's page shows of it.
struct Ending {
  Outcome outcome = {};
  std::string result = {};  ///< JSON text; empty when none
  bool recorded = false;    ///< publishing has already ended the job
};

/// Runs `hone-run job FOLDER`, with what it says recorded, to its end. `on_checkpoint` and
/// `on_tick` are called on this thread.
struct RunHooks {
  std::function<void(const RunEvent& checkpoint)> on_checkpoint = [](const RunEvent&) {};
  std::function<void()> on_tick = [] {};
};
Outcome run_program(Attempt& attempt, const RunHooks& hooks);

/// Has hone-run read a model directory as it would read a base. Nothing when that went well.
std::optional<Outcome> read_back(Attempt& attempt, const std::filesystem::path& model);

Ending carry_out_sample(Attempt& attempt);
Ending carry_out_judge(Attempt& attempt);
Ending carry_out_train(Attempt& attempt);

}  // namespace hone::worker
