#include "storage/repo/runs.h"

#include <algorithm>

#include "feedback/base/error.h"
#include "storage/postgres/exec.h"
#include "storage/repo/rows.h"

namespace hone::storage {
namespace {

constexpr const char* kRuns = R"sql(
    SELECT j.*, rfc3339(j.created_at) AS created, rfc3339(j.started_at) AS started,
           rfc3339(j.finished_at) AS finished,
           CASE WHEN j.state = 'queued' THEN job_waiting(j.id) END AS waiting,
           r.method, m.name AS model, r.base_id, b.name AS base_name, r.snapshot_id, s.number AS snapshot_number,
           s.root AS snapshot_root, r.adapter, r.hyperparameters, r.evaluation, r.seed, u.name AS created_by_name
      FROM runs r
      JOIN jobs j ON j.team_id = r.team_id AND j.id = r.job_id
      JOIN models m ON m.team_id = r.team_id AND m.id = r.model_id
      JOIN bases b ON b.id = r.base_id
      JOIN snapshots s ON s.team_id = r.team_id AND s.id = r.snapshot_id
      LEFT JOIN users u ON u.id = j.created_by
     WHERE r.team_id = $1 AND ($2::uuid IS NULL OR r.project_id = $2) AND ($3::uuid IS NULL OR r.job_id = $3)
       AND ($4 = '' OR r.job_id < nullif($4, '')::uuid)
     ORDER BY r.job_id DESC LIMIT $5)sql";

Run run_of(const pqxx::row& row) {
  Run run;
  run.job = job_of(row);
  run.method = text(row, "method");
  run.model = text(row, "model");
  run.base = id<BaseTag>(row, "base_id");
  run.base_name = text(row, "base_name");
  run.snapshot = id<SnapshotTag>(row, "snapshot_id");
  run.snapshot_number = int64(row, "snapshot_number");
  run.snapshot_root = text(row, "snapshot_root");
  run.adapter = text(row, "adapter");
  run.hyperparameters = text(row, "hyperparameters");
  run.evaluation = text(row, "evaluation");
  run.seed = int64(row, "seed");
  run.created_by_name = maybe_text(row, "created_by_name");
  return run;
}

}  // namespace

JobId insert_run(Tx& tx, const NewRun& given) {
  exec(tx, R"sql(
      INSERT INTO models (name, task) VALUES ($1, $2) ON CONFLICT ON CONSTRAINT models_one_name DO NOTHING)sql",
       given.model, given.task);
  const auto model =
      exec(tx, "SELECT task FROM models WHERE team_id = $1 AND name = $2", tx.team(), given.model);
  if (const auto task = text(model[0], "task"); task != given.task)
    throw Error(Code::Invalid,
                "the model \"" + given.model + "\" is a " + task + " model, and this run makes a " +
                    given.task + " model: name another",
                "/model");
  const auto job = insert_job(tx, {.project = given.project,
                                   .kind = "train",
                                   .spec = given.spec,
                                   .spec_sha256 = given.spec_sha256,
                                   .gpu_class = given.gpu_class,
                                   .created_by = given.created_by});
  const auto rows =
      exec(tx, R"sql(
      INSERT INTO runs (job_id, project_id, model_id, method, base_id, snapshot_id, adapter,
                        hyperparameters, evaluation, seed)
      SELECT $2, $3, m.id, $4, $5, s.id, $6::jsonb, $7::jsonb, coalesce(nullif($8, ''), 'null')::jsonb, $9
        FROM models m JOIN snapshots s ON s.team_id = m.team_id AND s.id = $10 AND s.project_id = $3
       WHERE m.team_id = $1 AND m.name = $11)sql",
           tx.team(), job, given.project, given.method, given.base, given.adapter,
           given.hyperparameters, given.evaluation, given.seed, given.snapshot, given.model);
  if (rows.affected_rows() == 0)
    throw Error(Code::NotFound, "no such snapshot in this project", "/snapshot");
  return job;
}

Run get_run(Tx& tx, const JobId& run) {
  const auto rows = exec(tx, kRuns, tx.team(), std::nullopt, run, "", 1);
  if (rows.empty()) throw Error(Code::NotFound, "no such run");
  return run_of(rows[0]);
}

List<Run> list_runs(Tx& tx, const std::optional<ProjectId>& project, const Page& page) {
  const int limit = std::clamp(page.limit, 1, 200);
  List<Run> list;
  for (const auto& row : exec(tx, kRuns, tx.team(), project, std::nullopt, page.after, limit + 1))
    list.data.push_back(run_of(row));
  list.has_more = static_cast<int>(list.data.size()) > limit;
  if (list.has_more) list.data.pop_back();
  return list;
}

}  // namespace hone::storage
