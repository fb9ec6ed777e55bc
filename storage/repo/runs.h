// Runs: jobs of kind train, with what they train and what they publish to.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "storage/repo/jobs.h"

namespace hone::storage {

struct NewRun {
  ProjectId project{};
  std::string method{}, model{};  ///< model: name it publishes to, made when it does not exist
  std::string task = "policy";    ///< what the model is: policy or reward
  BaseId base{};
  SnapshotId snapshot{};
  JsonText adapter{}, hyperparameters{}, evaluation{};  ///< evaluation: "null" when none
  std::int64_t seed = 0;
  JsonText spec{};  ///< the job's (see NewJob)
  std::string spec_sha256{};
  std::string gpu_class = "cpu";
  std::optional<UserId> created_by{};
};

struct Run {
  Job job;
  std::string method, model;
  BaseId base;
  std::string base_name;
  SnapshotId snapshot;
  std::int64_t snapshot_number = 0;
  std::string snapshot_root;
  JsonText adapter, hyperparameters, evaluation;
  std::int64_t seed = 0;
  std::optional<std::string> created_by_name;
};

/// Job, run, events and wake-up in the caller's transaction. NotFound for an unknown base, snapshot
/// or project (of this team); Invalid when the model holds versions for another task.
JobId insert_run(Tx& tx, const NewRun& given);
Run get_run(Tx& tx, const JobId& run);
List<Run> list_runs(Tx& tx, const std::optional<ProjectId>& project, const Page& page);

}  // namespace hone::storage
