// What a worker may read beside its leases: the attempts before it, what its job learns from, and
// which jobs are over.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "storage/repo/leases.h"
#include "storage/repo/models.h"

namespace hone::storage {

struct AttemptSteps {
  std::int64_t epoch = 0;
  std::string worker, started_at;
  std::optional<std::string> ended_at, outcome;  ///< nullopt: still running
  std::int64_t first_step = 0;                   ///< of the checkpoint it went on from, else 0
  std::optional<std::int64_t> last_step;
};
/// Every attempt at the job so far, the running one included, by epoch. Throws StaleLease.
std::vector<AttemptSteps> list_job_attempts(Tx& tx, const Lease& lease);

/// The rule critics that the job's reward names. Throws StaleLease.
std::vector<JobInputs::CriticInput> list_job_critics(Tx& tx, const Lease& lease);

struct JobVersion {
  VersionId id;
  std::string model, task;
  std::int64_t number = 0;
  std::string manifest_sha256;
  std::vector<VersionFile> files;  ///< by path
};
/// The published versions that the job's spec names: reward models, a teacher. Throws StaleLease.
std::vector<JobVersion> list_job_versions(Tx& tx, const Lease& lease);

/// The base that the job imitates, where its teacher is one. Throws StaleLease.
std::optional<JobInputs::BaseInput> find_job_teacher(Tx& tx, const Lease& lease);

/// Those of `jobs` that have ended and whose files nobody needs any more (not the dead ones: a
/// person may look into them).
std::vector<JobId> list_ended_jobs(Tx& tx, const std::vector<JobId>& jobs);

}  // namespace hone::storage
