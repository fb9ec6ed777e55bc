// Jobs as the server sees them: created with their wake-up in one transaction, read, cancelled.
// What a worker does with them is in leases.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "storage/postgres/tx.h"

namespace hone::storage {

/// `spec` is kept as it is; storage itself reads from it: sample: "base" (base id), "split"
/// (train|held_out|all), "responses_per_prompt"; judge: "critic" (critic version id); train:
/// "base", "snapshot" (ids), "evaluation"."critic" (id or absent).
struct NewJob {
  ProjectId project{};
  std::string kind{};  ///< train, sample, judge
  JsonText spec{};
  std::string spec_sha256{};
  std::string gpu_class = "cpu";
  int priority = 0;
  std::optional<UserId> created_by{};
};

struct Job {
  JobId id;
  ProjectId project;
  std::string kind, state;
  JsonText spec;
  JsonText progress, waiting, metrics, error, result;  ///< JSON text; empty = null
  std::int64_t event_seq = 0;
  std::int64_t epoch = 0;
  std::string created_at;
  std::optional<std::string> started_at, finished_at;
  std::optional<UserId> created_by;
};

struct JobEvent {
  std::int64_t seq = 0;
  std::string type, at, level, message;
  JsonText data;  ///< JSON text; empty = null
};

struct Attempt {
  std::int64_t epoch = 0;
  std::string worker, started_at;
  std::optional<std::string> ended_at, outcome, blame;
  std::optional<std::int64_t> last_step;
};

/// Queued, with its first events and the outbox row that wakes a worker: one transaction, the
/// caller's.
JobId insert_job(Tx& tx, const NewJob& given);
/// NotFound also when it is another team's.
Job get_job(Tx& tx, const JobId& job);

struct JobFilter {
  std::optional<ProjectId> project{};
  std::vector<std::string> kinds{};  ///< empty = all
};
/// Newest first.
List<Job> list_jobs(Tx& tx, const JobFilter& filter, const Page& page);
std::vector<Attempt> list_attempts(Tx& tx, const JobId& job);
/// Events after `after_seq`, oldest first, at most `limit`; seq has no gaps.
std::vector<JobEvent> list_events(Tx& tx, const JobId& job, std::int64_t after_seq,
                                  int limit = 500);

/// Asks for the end: a waiting job is cancelled at once, a held one goes to `cancelling` and its
/// worker (or the reaper) ends it. Asking again while cancelling changes nothing. Conflict when
/// final.
Job cancel_job(Tx& tx, const JobId& job, const std::optional<UserId>& by);

bool is_final_state(const std::string& state);

}  // namespace hone::storage
