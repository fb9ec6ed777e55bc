// What a worker may do: claim a job and write about it while the lease is its own. Every call is
// one SQL function that checks (job, epoch, token) in the statement that writes; the role
// hone_worker can execute these functions and touch no table. Pool with role "hone_worker"; no team
// is set by the caller, the job's own is used.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "feedback/base/error.h"
#include "storage/postgres/tx.h"

namespace hone::storage {

struct Lease {
  JobId job;
  TeamId team;
  ProjectId project;
  std::string kind;  ///< train, sample, judge
  JsonText spec;
  std::int64_t epoch = 0;
  std::string token;  ///< secret of this lease
  std::string gpu_class;
};

/// What became of a fenced write.
enum class Written {
  Now,
  Stale,  ///< the lease is not ours any more: nothing was changed
};

/// Thrown by the calls that read, when the lease is not ours any more.
class StaleLease : public Error {
 public:
  StaleLease() : Error(Code::Conflict, "the lease on this job is held by another worker or over") {}
};

struct WorkerName {
  std::string name{};  ///< unique per process: host and pid or a configured name
  std::string gpu_class = "cpu";
  std::string version{};
  std::chrono::milliseconds lease{15000};  ///< only shown to people; expiry is the reaper's
};

/// Takes the next queued job of one of `kinds` (fewest running jobs of its team first, then
/// priority, then age), or `only` that job. nullopt when there is none. Notes that the worker
/// lives.
std::optional<Lease> claim_job(Tx& tx, const WorkerName& worker,
                               const std::vector<std::string>& kinds,
                               const std::optional<JobId>& only = {});

struct Renewed {
  Written written = Written::Now;
  bool cancel = false;
  bool pause = false;
};
/// The heartbeat.
Renewed renew_lease(Tx& tx, const Lease& lease, std::chrono::milliseconds lease_time);

/// leased -> running (with the `started` event), running -> publishing. Same state again: nothing.
/// Stale also when the job is being cancelled: then finish_job("cancelled") is next.
Written advance_job(Tx& tx, const Lease& lease, const std::string& state);

struct NewEvent {
  std::string type{};  ///< progress, metrics, evaluation, checkpoint_saved, warning, message, ...
  std::string level = "info";
  std::string message{};
  JsonText data{};  ///< empty = null
};
/// Appends with the next seq. `progress` becomes the job's progress; `metrics`
/// {"step","total_steps", "values",...} its latest values and last step.
Written record_event(Tx& tx, const Lease& lease, const NewEvent& event);

struct Checkpoint {
  std::int64_t step = 0;
  std::int64_t epoch = 0;
  std::string path;  ///< relative to HONE_HOME/jobs/<job>/, e.g. "e2/checkpoints/step-000010"
  std::string manifest_sha256;
  std::int64_t bytes = 0;
};
/// Makes a checkpoint, already whole on disk, the one to resume from. Again: nothing.
Written adopt_checkpoint(Tx& tx, const Lease& lease, const Checkpoint& checkpoint);
/// Newest step first, of any epoch. Throws StaleLease.
std::vector<Checkpoint> newest_checkpoints(Tx& tx, const Lease& lease, int n = 4);

struct JobEnd {
  std::string state{};  ///< succeeded, failed, cancelled, dead
  JsonText result{};    ///< empty = null
  JsonText error{};     ///< {"code","detail","blame",...}; empty = null
  std::string blame{};  ///< user, infra, bug; empty when none
  std::int64_t last_step = 0;
};
/// The end. A job that was told to cancel ends cancelled, whatever `state` says. Again with the
/// same lease: Now, nothing changes.
Written finish_job(Tx& tx, const Lease& lease, const JobEnd& end);

struct GiveUp {
  std::string
      blame;  ///< infra (retried up to 10 times), bug (once), user (not), drained (not counted)
  std::string code{}, detail{};
  std::string
      exit_signature{};  ///< equal text = the same death; e.g. "signal 9", "exit 70 assert x"
  std::int64_t last_step = 0;
};
struct GivenUp {
  Written written = Written::Now;
  std::string state{};  ///< queued, failed, dead, cancelled
};
/// Ends this attempt: the job is queued again after a back-off, or ended when its budgets are
/// spent. Three infra attempts that end at one step with one signature are poison: dead.
GivenUp give_up_job(Tx& tx, const Lease& lease, const GiveUp& why);

/// What a job's ids stand for.
struct JobInputs {
  std::string project_slug, project_name;
  struct BaseInput {
    BaseId id;
    std::string name, description, architecture, format, sha256;  ///< see bases.h
    std::int64_t bytes = 0;
  };
  std::optional<BaseInput> base;
  struct SnapshotInput {
    SnapshotId id;
    std::int64_t number = 0;
    std::string name, root, artifact_sha256;
    JsonText rows;
  };
  std::optional<SnapshotInput> snapshot;
  struct CriticInput {
    CriticId id;
    std::string name;
    std::int64_t version = 0;
    JsonText spec;
    std::string spec_sha256;
  };
  std::optional<CriticInput> critic;  ///< the judge job's, or the train job's evaluation's
  std::string model;                  ///< the train job's
  std::int64_t prompts = 0;           ///< that job_prompts will give in all
  std::int64_t comparisons = 0;       ///< that job_comparisons will still give
  std::vector<Checkpoint> checkpoints;
};
/// Throws StaleLease.
JobInputs job_inputs(Tx& tx, const Lease& lease);

struct JobPrompt {
  PromptId id;
  JsonText messages;
  std::string split;
};
/// A sample job: the prompts of its split that lack responses of this job. A train job: the
/// held-out prompts. By id, after `after` (empty = from the start), at most n (<= 1000). Throws
/// StaleLease.
std::vector<JobPrompt> job_prompts(Tx& tx, const Lease& lease, const PromptId& after, int n);

struct ResponsesAdded {
  Written written = Written::Now;
  std::int64_t responses = 0;    ///< new texts
  std::int64_t comparisons = 0;  ///< made now, because their prompt became complete
};
/// Rows: a JSON array of {"prompt_id","index","messages":[{"role","content"}...],"sampling":{...}}.
/// Each (prompt, index) counts once for a job. When a prompt has all responses_per_prompt, every
/// pair of distinct texts becomes a comparison with a work item.
ResponsesAdded record_responses(Tx& tx, const Lease& lease, const JsonText& rows);

struct JobComparison {
  ComparisonId id;
  JsonText prompt, slot0, slot1;  ///< arrays of {"role","content"}
};
/// Those that the job's critic version has not judged, by id, after `after`, at most n (<= 1000).
/// Throws StaleLease.
std::vector<JobComparison> job_comparisons(Tx& tx, const Lease& lease, const ComparisonId& after,
                                           int n);

struct JudgmentsAdded {
  Written written = Written::Now;
  std::int64_t added = 0;
};
/// Rows: a JSON array of {"comparison_id","verdict":"prefer|tie|both_bad","strength":-3..3|null
/// (> 0 = slot 0 better),"detail":{...}}. One judgment a comparison; again adds nothing.
JudgmentsAdded record_critic_judgments(Tx& tx, const Lease& lease, const JsonText& rows);

struct NewVersion {
  std::string code_revision{}, manifest_sha256{};
  JsonText spec{}, metrics{}, evaluation{};
  JsonText files{};   ///< [{"path","sha256","bytes"}]
  JsonText result{};  ///< more members for the job's result beside model, version, evaluation; may
                      ///< be empty
};
struct Published {
  Written written = Written::Now;
  std::string model;
  std::int64_t version = 0;
};
/// The last act of a train job: the model's next version, its files, the run's result, the events
/// and the state `succeeded`, in one transaction. Publishing again by the same job gives the same
/// version. Stale also when the job was told to cancel before: then finish_job("cancelled") is
/// next.
Published publish_version(Tx& tx, const Lease& lease, const NewVersion& given);

}  // namespace hone::storage
