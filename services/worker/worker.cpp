#include "services/worker/worker.h"

#include <nlohmann/json.hpp>
#include <system_error>

#include "feedback/base/error.h"
#include "services/shared/log.h"
#include "services/worker/attempt.h"
#include "services/worker/folder.h"
#include "services/worker/revision.h"
#include "storage/ids.h"
#include "storage/repo/worker_reads.h"

namespace hone::worker {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using Kind = Outcome::Kind;

constexpr auto kSweepEvery = std::chrono::hours(1);
constexpr std::size_t kSweptAtOnce = 1'000;

Outcome fault(Blame blame, std::string code, std::string detail) {
  Outcome out;
  out.kind = Kind::Retry;
  out.blame = blame;
  out.code = std::move(code);
  out.detail = std::move(detail);
  return out;
}

Ending dispatch(Attempt& attempt) {
  fs::create_directories(attempt.folder());
  fs::permissions(attempt.job_folder(), fs::perms::owner_all);
  if (attempt.lease.kind == "train") return carry_out_train(attempt);
  if (attempt.lease.kind == "sample") return carry_out_sample(attempt);
  return carry_out_judge(attempt);
}

// What went wrong on our side of the folder. LeaseLost is not here: it is nobody's fault.
Ending carry_out(Attempt& attempt) {
  try {
    return dispatch(attempt);
  } catch (const Error& failed) {
    // Busy: a disk. NotFound: an artifact that is not on this machine. Else we or hone-run are
    // wrong.
    const bool infra = failed.code() == Code::Busy || failed.code() == Code::NotFound;
    return {.outcome =
                fault(infra ? Blame::Infra : Blame::Bug, infra ? "io" : "worker", failed.detail())};
  } catch (const std::system_error& failed) {
    const bool full = failed.code() == std::errc::no_space_on_device;
    return {.outcome = fault(Blame::Infra, full ? "no_space" : "io",
                             full ? "the disk of the worker is full"
                                  : "a file of the job could not be read or written")};
  } catch (const LeaseLost&) {
    throw;
  } catch (const std::exception& failed) {
    shared::log_error("attempt_failed",
                      {{"job", attempt.lease.job.value}, {"reason", failed.what()}});
    return {.outcome =
                fault(Blame::Bug, "worker", "the worker met an error of its own; its log has it")};
  }
}

std::string error_json(const Outcome& outcome) {
  json error{
      {"code", outcome.code}, {"detail", outcome.detail}, {"blame", to_string(outcome.blame)}};
  if (!outcome.param.empty()) error["param"] = outcome.param;
  if (outcome.line > 0) error["line"] = outcome.line;
  if (outcome.step > 0) error["step"] = outcome.step;
  return error.dump();
}

// The state that the job is in now; empty when it was not ours to say.
std::string conclude(Attempt& attempt, const Ending& ending) {
  const auto& outcome = ending.outcome;
  if (ending.recorded) return "succeeded";
  if (outcome.kind == Kind::LeaseLost) throw LeaseLost();
  if (outcome.kind == Kind::Retry) {
    const storage::GiveUp why{
        .blame = outcome.code == "drained" ? "drained" : std::string(to_string(outcome.blame)),
        .code = outcome.code,
        .detail = outcome.detail,
        .exit_signature = outcome.signature(),
        .last_step = attempt.last_step};
    const auto given_up = attempt.patiently(
        [&](storage::Tx& tx) { return storage::give_up_job(tx, attempt.lease, why); });
    if (given_up.written == storage::Written::Stale) throw LeaseLost();
    return given_up.state;
  }
  storage::JobEnd end;
  end.state = outcome.kind == Kind::Succeeded   ? "succeeded"
              : outcome.kind == Kind::Cancelled ? "cancelled"
                                                : "failed";
  end.result = outcome.kind == Kind::Succeeded ? ending.result : "";
  end.error = outcome.kind == Kind::Failed ? error_json(outcome) : "";
  end.blame = outcome.kind == Kind::Failed ? std::string(to_string(outcome.blame)) : "";
  end.last_step = attempt.last_step;
  const auto written = attempt.patiently(
      [&](storage::Tx& tx) { return storage::finish_job(tx, attempt.lease, end); });
  if (written == storage::Written::Stale) throw LeaseLost();
  return end.state;
}

void carry_to_an_end(const Settings& settings, Store& store, const storage::Lease& lease,
                     Clock::time_point leased_at, const std::stop_token& stop) {
  const auto renew = [&] {
    const auto renewed = store.beat.transact(
        [&](storage::Tx& tx) { return storage::renew_lease(tx, lease, settings.lease); });
    return Renewal{.ours = renewed.written == storage::Written::Now,
                   .cancel_requested = renewed.cancel};
  };
  Heartbeat heartbeat(renew, settings.heartbeat, leased_at);
  Recorder recorder(heartbeat);
  Attempt attempt{settings, store, lease, heartbeat, recorder, stop};
  shared::log_info("job_claimed",
                   {{"job", lease.job.value}, {"kind", lease.kind}, {"epoch", lease.epoch}});
  try {
    const auto ending = carry_out(attempt);
    // All that was said comes before the end.
    if (!ending.recorded && !recorder.finish()) throw LeaseLost();
    const auto state = conclude(attempt, ending);
    shared::log_info("job_ended", {{"job", lease.job.value},
                                   {"epoch", lease.epoch},
                                   {"state", state},
                                   {"code", ending.outcome.code},
                                   {"detail", ending.outcome.detail}});
    if (state == "succeeded" || state == "failed" || state == "cancelled")
      sweep_job(attempt.job_folder());
  } catch (const LeaseLost&) {
    // Another worker owns the job, or will: its outcome is not ours to record.
    shared::log_warning("lease_lost", {{"job", lease.job.value}, {"epoch", lease.epoch}});
  }
}

// The folders of jobs that ended while nobody held them: cancelled by the reaper, or by a worker
// that died right after. Old ones only, since another worker may be about to sweep its own.
void sweep_left_over(const Settings& settings, Store& store) {
  std::vector<JobId> jobs;
  std::error_code ignored;
  const auto old = fs::file_time_type::clock::now() - std::chrono::hours(1);
  for (const auto& folder : fs::directory_iterator(settings.jobs, ignored)) {
    const auto name = folder.path().filename().string();
    const auto changed = folder.last_write_time(ignored);
    if (jobs.size() < kSweptAtOnce && storage::is_uuid(name) && !ignored && changed < old &&
        !is_swept(folder.path()))
      jobs.push_back({name});
  }
  if (jobs.empty()) return;
  for (const auto& job :
       store.work.transact([&](storage::Tx& tx) { return storage::list_ended_jobs(tx, jobs); }))
    sweep_job(settings.jobs / job.value);
}

}  // namespace

void work(const Settings& settings, Store& store, Waker& waker, std::stop_token stop) {
  const storage::WorkerName name{settings.name, settings.gpu_class, code_revision(),
                                 settings.lease};
  bool away = false;
  auto sweep_at = Clock::now();
  while (!stop.stop_requested()) {
    std::optional<storage::Lease> lease;
    const auto asked_at = Clock::now();
    try {
      if (asked_at >= sweep_at) {
        sweep_left_over(settings, store);
        sweep_at = asked_at + kSweepEvery;
      }
      lease = store.work.transact(
          [&](storage::Tx& tx) { return storage::claim_job(tx, name, kKinds); });
      waker.taken();
      if (std::exchange(away, false)) shared::log_info("store_is_back");
    } catch (const Error& failed) {
      // Also when the claim was committed and its answer lost: then the lease runs out, unused.
      if (!std::exchange(away, true))
        shared::log_warning("store_is_away", {{"reason", failed.detail()}});
    }
    if (lease)
      carry_to_an_end(settings, store, *lease, asked_at, stop);
    else
      waker.wait(stop);
  }
}

}  // namespace hone::worker
