#include "storage/repo/worker_reads.h"

#include "storage/postgres/exec.h"

namespace hone::storage {

std::vector<AttemptSteps> list_job_attempts(Tx& tx, const Lease& lease) {
  const auto rows = exec(tx, R"sql(
      SELECT epoch, worker, started_at, ended_at, outcome, first_step, last_step
        FROM job_attempts_of($1::uuid, $2::bigint, $3)
    )sql",
                         lease.job, lease.epoch, lease.token);
  std::vector<AttemptSteps> out;
  for (const auto& row : rows)
    out.push_back({int64(row, "epoch"), text(row, "worker"), text(row, "started_at"),
                   maybe_text(row, "ended_at"), maybe_text(row, "outcome"),
                   int64(row, "first_step"), maybe_int64(row, "last_step")});
  return out;
}

std::vector<JobInputs::CriticInput> list_job_critics(Tx& tx, const Lease& lease) {
  std::vector<JobInputs::CriticInput> out;
  for (const auto& row :
       exec(tx, "SELECT * FROM job_critics($1, $2, $3)", lease.job, lease.epoch, lease.token))
    out.push_back({id<CriticTag>(row, "critic_id"), text(row, "name"), int64(row, "version"),
                   text(row, "spec"), text(row, "spec_sha256")});
  return out;
}

std::vector<JobVersion> list_job_versions(Tx& tx, const Lease& lease) {
  std::vector<JobVersion> out;
  for (const auto& row :
       exec(tx, "SELECT * FROM job_versions($1, $2, $3)", lease.job, lease.epoch, lease.token)) {
    const auto version = id<VersionTag>(row, "version_id");
    if (out.empty() || out.back().id != version)
      out.push_back({version,
                     text(row, "model"),
                     text(row, "task"),
                     int64(row, "number"),
                     text(row, "manifest_sha256"),
                     {}});
    out.back().files.push_back({text(row, "path"), text(row, "sha256"), int64(row, "bytes")});
  }
  return out;
}

std::optional<JobInputs::BaseInput> find_job_teacher(Tx& tx, const Lease& lease) {
  const auto rows =
      exec(tx, "SELECT * FROM job_teacher($1, $2, $3)", lease.job, lease.epoch, lease.token);
  if (rows.empty()) return std::nullopt;
  const auto& row = rows[0];
  return JobInputs::BaseInput{id<BaseTag>(row, "base_id"), text(row, "name"),
                              text(row, "description"),    text(row, "architecture"),
                              text(row, "format"),         text(row, "sha256"),
                              int64(row, "bytes")};
}

std::vector<JobId> list_ended_jobs(Tx& tx, const std::vector<JobId>& jobs) {
  std::vector<std::string> ids;
  for (const auto& job : jobs) ids.push_back(job.value);
  const auto rows = exec(tx, "SELECT ended_jobs($1::uuid[]) AS id", ids);
  std::vector<JobId> out;
  for (const auto& row : rows) out.push_back(id<struct JobTag>(row, "id"));
  return out;
}

}  // namespace hone::storage
