// What a worker is told at its start.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "services/worker/heartbeat.h"
#include "services/worker/stall.h"

namespace hone::worker {

struct Settings {
  std::string name;  ///< unique: host and process
  std::string gpu_class = "cpu";
  std::filesystem::path jobs;  ///< the folders of jobs
  std::filesystem::path run;   ///< the hone-run program
  int threads = 0;             ///< for hone-run; 0 = as it likes
  std::chrono::milliseconds lease{15'000};
  std::chrono::milliseconds poll{2'000};
  Heartbeat::Times heartbeat;
  Stall::Limits stall;
  std::chrono::milliseconds grace{20'000};  ///< from SIGTERM to SIGKILL of hone-run
};

/// The kinds of job that this program knows how to carry out.
inline const std::vector<std::string> kKinds{"train", "sample", "judge"};

}  // namespace hone::worker
