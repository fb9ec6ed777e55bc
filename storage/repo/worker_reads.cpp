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

std::vector<JobId> list_ended_jobs(Tx& tx, const std::vector<JobId>& jobs) {
  std::vector<std::string> ids;
  for (const auto& job : jobs) ids.push_back(job.value);
  const auto rows = exec(tx, "SELECT ended_jobs($1::uuid[]) AS id", ids);
  std::vector<JobId> out;
  for (const auto& row : rows) out.push_back(id<struct JobTag>(row, "id"));
  return out;
}

}  // namespace hone::storage
