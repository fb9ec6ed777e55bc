#include "storage/repo/jobs.h"

#include <algorithm>

#include "feedback/base/error.h"
#include "feedback/lifecycle/job.h"
#include "storage/postgres/exec.h"
#include "storage/repo/rows.h"

namespace hone::storage {

Job job_of(const pqxx::row& row) {
  Job job;
  job.id = id<JobTag>(row, "id");
  job.project = id<ProjectTag>(row, "project_id");
  job.kind = text(row, "kind");
  job.state = text(row, "state");
  job.spec = text(row, "spec");
  job.progress = text(row, "progress");
  job.waiting = text(row, "waiting");
  job.metrics = text(row, "metrics");
  job.error = text(row, "error");
  job.result = text(row, "result");
  job.event_seq = int64(row, "event_seq");
  job.epoch = int64(row, "lease_epoch");
  job.created_at = text(row, "created");
  job.started_at = maybe_text(row, "started");
  job.finished_at = maybe_text(row, "finished");
  if (const auto by = maybe_text(row, "created_by")) job.created_by = UserId{*by};
  return job;
}

JobId insert_job(Tx& tx, const NewJob& given) {
  const auto rows = exec(tx, R"sql(
      INSERT INTO jobs (project_id, kind, spec, spec_sha256, gpu_class, priority, created_by, state)
      VALUES ($1, $2, $3::jsonb, $4, $5, $6, $7, 'queued') RETURNING id)sql",
                         given.project, given.kind, given.spec, given.spec_sha256, given.gpu_class,
                         given.priority, given.created_by);
  const auto job = id<JobTag>(rows[0], "id");
  exec(tx, "SELECT append_event($1, 'created'), append_event($1, 'queued'), wake_worker($1, $2)",
       job, given.gpu_class);
  return job;
}

Job get_job(Tx& tx, const JobId& job) {
  const auto rows = exec(tx, R"sql(
      SELECT j.*, rfc3339(j.created_at) AS created, rfc3339(j.started_at) AS started,
             rfc3339(j.finished_at) AS finished,
             CASE WHEN j.state = 'queued' THEN job_waiting(j.id) END AS waiting
        FROM jobs j WHERE j.team_id = $1 AND j.id = $2)sql",
                         tx.team(), job);
  if (rows.empty()) throw Error(Code::NotFound, "no such job");
  return job_of(rows[0]);
}

List<Job> list_jobs(Tx& tx, const JobFilter& filter, const Page& page) {
  const int limit = std::clamp(page.limit, 1, 200);
  List<Job> list;
  for (const auto& row : exec(tx, R"sql(
      SELECT j.*, rfc3339(j.created_at) AS created, rfc3339(j.started_at) AS started,
             rfc3339(j.finished_at) AS finished,
             CASE WHEN j.state = 'queued' THEN job_waiting(j.id) END AS waiting
        FROM jobs j
       WHERE j.team_id = $1 AND ($2::uuid IS NULL OR j.project_id = $2)
         AND ($3::text[] = '{}' OR j.kind = ANY ($3::text[])) AND ($4 = '' OR j.id < nullif($4, '')::uuid)
       ORDER BY j.id DESC LIMIT $5)sql",
                              tx.team(), filter.project, filter.kinds, page.after, limit + 1))
    list.data.push_back(job_of(row));
  list.has_more = static_cast<int>(list.data.size()) > limit;
  if (list.has_more) list.data.pop_back();
  return list;
}

std::vector<Attempt> list_attempts(Tx& tx, const JobId& job) {
  std::vector<Attempt> attempts;
  for (const auto& row : exec(tx, R"sql(
      SELECT epoch, worker, rfc3339(started_at) AS started, rfc3339(ended_at) AS ended, outcome, blame, last_step
        FROM job_attempts WHERE team_id = $1 AND job_id = $2 ORDER BY epoch)sql",
                              tx.team(), job))
    attempts.push_back({.epoch = int64(row, "epoch"),
                        .worker = text(row, "worker"),
                        .started_at = text(row, "started"),
                        .ended_at = maybe_text(row, "ended"),
                        .outcome = maybe_text(row, "outcome"),
                        .blame = maybe_text(row, "blame"),
                        .last_step = maybe_int64(row, "last_step")});
  return attempts;
}

std::vector<JobEvent> list_events(Tx& tx, const JobId& job, std::int64_t after_seq, int limit) {
  std::vector<JobEvent> events;
  for (const auto& row : exec(tx, R"sql(
      SELECT seq, type, rfc3339(at) AS at_text, level, message, data FROM job_events
       WHERE team_id = $1 AND job_id = $2 AND seq > $3 ORDER BY seq LIMIT $4)sql",
                              tx.team(), job, after_seq, std::clamp(limit, 1, 5000)))
    events.push_back({.seq = int64(row, "seq"),
                      .type = text(row, "type"),
                      .at = text(row, "at_text"),
                      .level = text(row, "level"),
                      .message = text(row, "message"),
                      .data = text(row, "data")});
  return events;
}

Job cancel_job(Tx& tx, const JobId& job, const std::optional<UserId>& by) {
  const auto rows =
      exec(tx, "SELECT state FROM jobs WHERE team_id = $1 AND id = $2 FOR UPDATE", tx.team(), job);
  if (rows.empty()) throw Error(Code::NotFound, "no such job");
  const auto from = text(rows[0], "state");
  const auto state = feedback::parse_job_state(from).value();
  if (is_final(state)) throw Error(Code::Conflict, "this job has ended already: " + from);
  if (state != feedback::JobState::Cancelling) {
    const bool held = is_held(state);
    exec(tx, R"sql(
        UPDATE jobs SET state = $3, cancel_requested_at = clock_timestamp(),
               finished_at = CASE WHEN $3 = 'cancelled' THEN clock_timestamp() END
         WHERE team_id = $1 AND id = $2)sql",
         tx.team(), job, held ? "cancelling" : "cancelled");
    exec(tx, R"sql(
        SELECT append_event($1, $2, 'info', '', jsonb_strip_nulls(jsonb_build_object('by', $3::text))))sql",
         job, held ? "cancelling" : "cancelled", by);
  }
  return get_job(tx, job);
}

bool is_final_state(const std::string& state) {
  const auto known = feedback::parse_job_state(state);
  return known && is_final(*known);
}

}  // namespace hone::storage
