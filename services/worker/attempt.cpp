#include "services/worker/attempt.h"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "services/shared/log.h"
#include "services/worker/folder.h"
#include "services/worker/supervise.h"

namespace hone::worker {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kReadBackMax = std::chrono::minutes(10);

// What hone-run may see of our environment: how to run and on what. By name or by prefix; no
// address of a database and no password is among them.
constexpr std::array kAllowed{"PATH",        "HOME",   "LANG",     "TMPDIR",  "LD_LIBRARY_PATH",
                              "HONE_MATMUL", "CUDA_",  "NVIDIA_",  "CUBLAS_", "NCCL_",
                              "OMP_",        "GOMP_",  "KMP_",     "MKL_",    "DNNL_",
                              "ONEDNN_",     "TORCH_", "PYTORCH_", "MALLOC_"};

bool allowed(std::string_view variable) {
  const auto name = variable.substr(0, variable.find('='));
  for (const std::string_view one : kAllowed)
    if (one.ends_with('_') ? name.starts_with(one) : name == one) return true;
  return false;
}

std::vector<std::string> environment_of(const Settings& settings) {
  std::vector<std::string> out{"LC_ALL=C.UTF-8"};
  for (char** one = environ; *one; ++one)
    if (allowed(*one)) out.emplace_back(*one);
  if (settings.threads > 0) out.push_back("HONE_THREADS=" + std::to_string(settings.threads));
  return out;
}

Child::Options program_of(const Attempt& attempt, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), attempt.settings.run.string());
  return {std::move(arguments), environment_of(attempt.settings), attempt.folder()};
}

// hone-run's lines on their way into the store.
class Told {
 public:
  Told(Attempt& attempt, const RunHooks& hooks) : attempt_(attempt), hooks_(hooks) {}

  void line(std::string_view text, Stall& stall) {
    auto event = parse_run_event(text);
    if (!event) {
      if (!strange_++)
        shared::log_warning("run_line_not_understood", {{"job", attempt_.lease.job.value}});
      return;
    }
    const auto now = Clock::now();
    stall.tick(now);
    switch (event->type) {
      case RunEvent::Type::Progress:
        if (event->stage == "sample") stall.step(now);  // a sample job's only steps
        if (auto due = gate_.offer(std::move(*event), now)) attempt_.say(*due);
        return;
      case RunEvent::Type::Metrics:
        stall.step(now);
        attempt_.last_step = event->step;
        break;
      case RunEvent::Type::Checkpoint:
        attempt_.last_step = event->step;
        hooks_.on_checkpoint(*event);
        return;
      case RunEvent::Type::Evaluation:
      case RunEvent::Type::Message:
        break;
    }
    attempt_.say(*event);
  }

  void tick() {
    if (auto due = gate_.due(Clock::now())) attempt_.say(*due);
    hooks_.on_tick();
  }

  void end() {
    if (auto last = gate_.flush()) attempt_.say(*last);
    hooks_.on_tick();
  }

 private:
  Attempt& attempt_;
  const RunHooks& hooks_;
  ProgressGate gate_;
  int strange_ = 0;
};

}  // namespace

std::filesystem::path Attempt::folder() const { return job_folder() / attempt_name(lease.epoch); }

void Attempt::say(storage::NewEvent event) {
  const auto name = event.type;
  // Not `this`: the recorder may outlive it.
  recorder.put(name, [&into = store, &lease_of = lease, event = std::move(event)] {
    return into.work.transact(
        [&](storage::Tx& tx) { return storage::record_event(tx, lease_of, event); });
  });
}

void Attempt::say(const RunEvent& event) {
  storage::NewEvent out;
  out.data = event.data;
  switch (event.type) {
    case RunEvent::Type::Progress:
      out.type = "progress";
      break;
    case RunEvent::Type::Metrics:
      out.type = "metrics";
      break;
    case RunEvent::Type::Evaluation:
      out.type = "evaluation";
      break;
    case RunEvent::Type::Message:
      if (event.level == "warning") return warn(event.text);
      out.type = "message";
      out.message = event.text;
      out.data.clear();
      break;
    case RunEvent::Type::Checkpoint:
      return;  // said when it is adopted
  }
  say(std::move(out));
}

void Attempt::progress(const std::string& stage, std::int64_t done, std::int64_t total) {
  storage::NewEvent out;
  out.type = "progress";
  out.data = nlohmann::json{{"stage", stage}, {"done", done}, {"total", total}}.dump();
  say(std::move(out));
}

void Attempt::warn(const std::string& sentence) {
  storage::NewEvent out;
  out.type = out.level = "warning";
  out.message = sentence;
  say(std::move(out));
}

std::optional<Outcome> Attempt::advance(const std::string& state) {
  const auto moved =
      patiently([&](storage::Tx& tx) { return storage::advance_job(tx, lease, state); });
  if (moved == storage::Written::Now) return std::nullopt;
  // Refused: either the job is another's, or somebody wants it cancelled. The heartbeat's answer
  // tells which.
  const auto renewed =
      patiently([&](storage::Tx& tx) { return storage::renew_lease(tx, lease, settings.lease); });
  if (renewed.written == storage::Written::Now && renewed.cancel)
    return outcome_of({0, SIGKILL}, Ended::Cancelled, {});
  heartbeat.mark_lost();
  throw LeaseLost();
}

// Nothing of it is looked at but how it ends: hone-run's own reader has checked every tensor's
// place and shape against the configuration, the tokenizer and the template.
std::optional<Outcome> read_back(Attempt& attempt, const std::filesystem::path& model) {
  Supervision how;
  how.on_line = [](std::string_view, Stall&) {};
  how.error_log = attempt.folder() / "run.log";
  how.stall.before_first_step = kReadBackMax;
  how.grace = attempt.settings.grace;
  const auto ended = supervise(program_of(attempt, {"inspect", model.string()}), how,
                               attempt.heartbeat, attempt.stop);
  if (ended.ended == Ended::ByItself && ended.exit == Exit{0, 0}) return std::nullopt;
  auto outcome = outcome_of(ended.exit, ended.ended, {});
  if (ended.ended == Ended::ByItself) {
    outcome.kind = Outcome::Kind::Retry;
    outcome.blame = Blame::Bug;
    outcome.code = "not_readable";
    outcome.detail = "the trained model cannot be read back; nothing was published";
  }
  return outcome;
}

Outcome run_program(Attempt& attempt, const RunHooks& hooks) {
  const auto folder = attempt.folder();
  Told told(attempt, hooks);
  Supervision how;
  how.on_line = [&](std::string_view line, Stall& stall) { told.line(line, stall); };
  how.hold_back = [&] { return attempt.recorder.full(); };
  how.on_tick = [&] { told.tick(); };
  how.error_log = folder / "run.log";
  how.stall = attempt.settings.stall;
  how.grace = attempt.settings.grace;

  const auto ended = supervise(program_of(attempt, {"job", folder.string()}), how,
                               attempt.heartbeat, attempt.stop);
  told.end();
  const auto outcome = outcome_of(ended.exit, ended.ended, read_result(folder / "result.json"));
  shared::log_info("run_ended", {{"job", attempt.lease.job.value},
                                 {"epoch", attempt.lease.epoch},
                                 {"status", ended.exit.status},
                                 {"signal", ended.exit.signal},
                                 {"code", outcome.code}});
  return outcome;
}

}  // namespace hone::worker
