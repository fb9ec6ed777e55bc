#include "storage/repo/leases.h"

#include "storage/postgres/exec.h"

namespace hone::storage {
namespace {

Written written_if(const Rows& rows) {
  return boolean(rows[0], "ok") ? Written::Now : Written::Stale;
}

std::vector<Checkpoint> checkpoints_of(const Rows& rows) {
  std::vector<Checkpoint> checkpoints;
  for (const auto& row : rows)
    checkpoints.push_back({.step = int64(row, "step"),
                           .epoch = int64(row, "epoch"),
                           .path = text(row, "path"),
                           .manifest_sha256 = text(row, "manifest_sha256"),
                           .bytes = int64(row, "bytes")});
  return checkpoints;
}

}  // namespace

std::optional<Lease> claim_job(Tx& tx, const WorkerName& worker,
                               const std::vector<std::string>& kinds,
                               const std::optional<JobId>& only) {
  const auto rows = exec(tx, "SELECT * FROM claim_job($1, $2, $3, $4::text[], $5, $6)", worker.name,
                         worker.gpu_class, worker.version, kinds, worker.lease.count(), only);
  if (rows.empty()) return std::nullopt;
  const auto& row = rows[0];
  return Lease{.job = id<JobTag>(row, "job_id"),
               .team = id<TeamTag>(row, "team_id"),
               .project = id<ProjectTag>(row, "project_id"),
               .kind = text(row, "kind"),
               .spec = text(row, "spec"),
               .epoch = int64(row, "epoch"),
               .token = text(row, "token"),
               .gpu_class = text(row, "gpu_class")};
}

Renewed renew_lease(Tx& tx, const Lease& lease, std::chrono::milliseconds lease_time) {
  const auto rows = exec(tx, "SELECT * FROM renew_lease($1, $2, $3, $4)", lease.job, lease.epoch,
                         lease.token, lease_time.count());
  if (rows.empty()) return {.written = Written::Stale};
  return {Written::Now, boolean(rows[0], "cancel"), boolean(rows[0], "pause")};
}

Written advance_job(Tx& tx, const Lease& lease, const std::string& state) {
  return written_if(exec(tx, "SELECT advance_job($1, $2, $3, $4) AS ok", lease.job, lease.epoch,
                         lease.token, state));
}

Written record_event(Tx& tx, const Lease& lease, const NewEvent& event) {
  return written_if(exec(
      tx, "SELECT record_event($1, $2, $3, $4, $5, $6, nullif($7, '')::jsonb) AS ok", lease.job,
      lease.epoch, lease.token, event.type, event.level, event.message, event.data));
}

Written adopt_checkpoint(Tx& tx, const Lease& lease, const Checkpoint& checkpoint) {
  return written_if(exec(tx, "SELECT adopt_checkpoint($1, $2, $3, $4, $5, $6, $7) AS ok", lease.job,
                         lease.epoch, lease.token, checkpoint.step, checkpoint.path,
                         checkpoint.manifest_sha256, checkpoint.bytes));
}

std::vector<Checkpoint> newest_checkpoints(Tx& tx, const Lease& lease, int n) {
  return checkpoints_of(exec(tx, "SELECT * FROM newest_checkpoints($1, $2, $3, $4)", lease.job,
                             lease.epoch, lease.token, n));
}

Written finish_job(Tx& tx, const Lease& lease, const JobEnd& end) {
  return written_if(exec(tx, R"sql(
      SELECT finish_job($1, $2, $3, $4, nullif($5, '')::jsonb, nullif($6, '')::jsonb, $7, $8) AS ok)sql",
                         lease.job, lease.epoch, lease.token, end.state, end.result, end.error,
                         end.blame, end.last_step));
}

GivenUp give_up_job(Tx& tx, const Lease& lease, const GiveUp& why) {
  const auto rows = exec(tx, "SELECT give_up_job($1, $2, $3, $4, $5, $6, $7, $8) AS state",
                         lease.job, lease.epoch, lease.token, why.blame, why.code, why.detail,
                         why.exit_signature, why.last_step);
  const auto state = maybe_text(rows[0], "state");
  if (!state) return {Written::Stale, {}};
  return {Written::Now, *state};
}

JobInputs job_inputs(Tx& tx, const Lease& lease) {
  const auto rows =
      exec(tx, "SELECT * FROM job_inputs($1, $2, $3)", lease.job, lease.epoch, lease.token);
  const auto& row = rows[0];
  JobInputs inputs;
  inputs.project_slug = text(row, "project_slug");
  inputs.project_name = text(row, "project_name");
  if (maybe_text(row, "base_id"))
    inputs.base = {id<BaseTag>(row, "base_id"),   text(row, "base_name"),
                   text(row, "base_description"), text(row, "base_architecture"),
                   text(row, "base_format"),      text(row, "base_sha256"),
                   int64(row, "base_bytes")};
  if (maybe_text(row, "snapshot_id"))
    inputs.snapshot = {id<SnapshotTag>(row, "snapshot_id"), int64(row, "snapshot_number"),
                       text(row, "snapshot_name"),          text(row, "snapshot_root"),
                       text(row, "snapshot_artifact"),      text(row, "snapshot_rows")};
  if (maybe_text(row, "critic_id"))
    inputs.critic = {id<CriticTag>(row, "critic_id"), text(row, "critic_name"),
                     int64(row, "critic_version"), text(row, "critic_spec"),
                     text(row, "critic_spec_sha256")};
  inputs.model = text(row, "model");
  inputs.prompts = int64(row, "prompts");
  inputs.comparisons = int64(row, "comparisons");
  inputs.checkpoints = newest_checkpoints(tx, lease);
  return inputs;
}

std::vector<JobPrompt> job_prompts(Tx& tx, const Lease& lease, const PromptId& after, int n) {
  std::vector<JobPrompt> prompts;
  for (const auto& row : exec(tx, "SELECT * FROM job_prompts($1, $2, $3, nullif($4, '')::uuid, $5)",
                              lease.job, lease.epoch, lease.token, after, n))
    prompts.push_back({id<PromptTag>(row, "prompt_id"), text(row, "messages"), text(row, "split")});
  return prompts;
}

ResponsesAdded record_responses(Tx& tx, const Lease& lease, const JsonText& rows) {
  tx.allow_long_statements();
  const auto result = exec(tx, "SELECT * FROM record_responses($1, $2, $3, $4::jsonb)", lease.job,
                           lease.epoch, lease.token, rows);
  const auto& row = result[0];
  return {boolean(row, "stale") ? Written::Stale : Written::Now, int64(row, "responses"),
          int64(row, "comparisons")};
}

std::vector<JobComparison> job_comparisons(Tx& tx, const Lease& lease, const ComparisonId& after,
                                           int n) {
  std::vector<JobComparison> comparisons;
  for (const auto& row :
       exec(tx, "SELECT * FROM job_comparisons($1, $2, $3, nullif($4, '')::uuid, $5)", lease.job,
            lease.epoch, lease.token, after, n))
    comparisons.push_back({id<ComparisonTag>(row, "comparison_id"), text(row, "prompt"),
                           text(row, "slot0"), text(row, "slot1")});
  return comparisons;
}

JudgmentsAdded record_critic_judgments(Tx& tx, const Lease& lease, const JsonText& rows) {
  tx.allow_long_statements();
  const auto result = exec(tx, "SELECT * FROM record_critic_judgments($1, $2, $3, $4::jsonb)",
                           lease.job, lease.epoch, lease.token, rows);
  return {boolean(result[0], "stale") ? Written::Stale : Written::Now, int64(result[0], "added")};
}

Published publish_version(Tx& tx, const Lease& lease, const NewVersion& given) {
  const auto rows =
      exec(tx, R"sql(
      SELECT * FROM publish_version($1, $2, $3, $4, $5, $6::jsonb, coalesce(nullif($7, ''), 'null')::jsonb,
                                    coalesce(nullif($8, ''), 'null')::jsonb, $9::jsonb, nullif($10, '')::jsonb))sql",
           lease.job, lease.epoch, lease.token, given.code_revision, given.manifest_sha256,
           given.spec, given.metrics, given.evaluation, given.files, given.result);
  const auto& row = rows[0];
  return {boolean(row, "stale") ? Written::Stale : Written::Now, text(row, "model"),
          int64(row, "version")};
}

}  // namespace hone::storage
