#include "services/server/json/runs.h"

#include "services/server/json/values.h"

namespace hone::server {

using nlohmann::json;

namespace {

/// What only some methods have; null for the others.
json part_of(const storage::Run& run, const char* name) {
  return stored_json(run.job.spec).value(name, json(nullptr));
}

}  // namespace

json to_json(const storage::Run& run, const std::vector<storage::Attempt>& attempts) {
  auto tries = json::array();
  for (const auto& attempt : attempts)
    tries.push_back({{"epoch", attempt.epoch},
                     {"worker", attempt.worker},
                     {"started_at", attempt.started_at},
                     {"ended_at", or_null(attempt.ended_at)},
                     {"outcome", or_null(attempt.outcome)},
                     {"blame", or_null(attempt.blame)},
                     {"last_step", or_null(attempt.last_step)}});
  const auto& job = run.job;
  return {
      {"id", job.id.value},
      {"project", job.project.value},
      {"model", run.model},
      {"state", job.state},
      {"method", run.method},
      {"base", {{"id", run.base.value}, {"name", run.base_name}}},
      {"snapshot",
       {{"id", run.snapshot.value}, {"number", run.snapshot_number}, {"root", run.snapshot_root}}},
      {"adapter", stored_json(run.adapter)},
      {"hyperparameters", stored_json(run.hyperparameters)},
      {"evaluation", stored_json(run.evaluation)},
      {"reward", part_of(run, "reward")},
      {"gold", part_of(run, "gold")},
      {"teacher", part_of(run, "teacher")},
      {"seed", run.seed},
      {"seeds", part_of(run, "seeds")},
      {"init_seed", part_of(run, "init_seed")},
      {"order_seed", part_of(run, "order_seed")},
      {"sample_seed", part_of(run, "sample_seed")},
      {"spec", stored_json(job.spec)},
      {"progress", stored_json(job.progress)},
      {"waiting", stored_json(job.waiting)},
      {"metrics", stored_json(job.metrics)},
      {"attempts", std::move(tries)},
      {"error", stored_json(job.error)},
      {"result", stored_json(job.result)},
      {"created_at", job.created_at},
      {"started_at", or_null(job.started_at)},
      {"finished_at", or_null(job.finished_at)},
      {"created_by", or_null(run.created_by_name)}};
}

}  // namespace hone::server
