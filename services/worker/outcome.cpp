#include "services/worker/outcome.h"

#include <signal.h>

#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "feedback/base/error.h"
#include "services/shared/json.h"

namespace hone::worker {
namespace {

using Kind = Outcome::Kind;

// hone-run's exit codes, after sysexits.h.
constexpr int kExitSpec = 64;
constexpr int kExitData = 65;
constexpr int kExitBug = 70;
constexpr int kExitIo = 74;
constexpr int kExitAgain = 75;

constexpr std::uintmax_t kResultBytesMax = 1 << 20;

Outcome make(Kind kind, Blame blame, std::string code, std::string detail) {
  Outcome out;
  out.kind = kind;
  out.blame = blame;
  out.code = std::move(code);
  out.detail = std::move(detail);
  return out;
}

std::string name_of(int signal_number) {
  const char* name = sigabbrev_np(signal_number);
  return name ? std::string("SIG") + name : "signal " + std::to_string(signal_number);
}

Outcome of_signal(int number) {
  // Nobody in Hone sent it (that is an `Ended`): the system was out of memory, or an operator.
  if (number == SIGKILL)
    return make(
        Kind::Retry, Blame::Infra, "killed",
        "the training process was killed from outside; most often the machine was out of memory");
  if (number == SIGTERM || number == SIGINT || number == SIGHUP)
    return make(Kind::Retry, Blame::Infra, "terminated",
                "the training process was ended from outside");
  return make(Kind::Retry, Blame::Bug, "crashed",
              "the training process crashed (" + name_of(number) + ")");
}

Outcome of_status(int status) {
  switch (status) {
    case 0:
      return make(Kind::Retry, Blame::Bug, "no_result",
                  "the training process ended well but left no result");
    case kExitSpec:
      return make(Kind::Failed, Blame::User, "spec_invalid",
                  "the run's settings or its base were refused");
    case kExitData:
      return make(Kind::Failed, Blame::User, "data_invalid", "the run's data were refused");
    case kExitIo:
      return make(Kind::Retry, Blame::Infra, "io",
                  "a file could not be read or written on the worker's machine");
    case kExitAgain:
      return make(Kind::Retry, Blame::Infra, "try_again",
                  "the training process asked to be started again");
    case kExitBug:
      return make(Kind::Retry, Blame::Bug, "bug", "the training process met an error of its own");
    default:
      return make(Kind::Retry, Blame::Bug, "unknown_exit",
                  "the training process ended with status " + std::to_string(status));
  }
}

// What a failed hone-run says of itself, read against the table.
Outcome of_result(const RunResult& said, Outcome by_code) {
  Outcome out = std::move(by_code);
  if (said.blame == "user") {
    out.blame = Blame::User;
    // A CUDA device out of memory may do with half the micro-batch; all else the user mends.
    out.kind = said.code == "cuda_oom" ? Kind::Retry : Kind::Failed;
  } else if (said.blame == "infra") {
    out.blame = Blame::Infra;
    out.kind = Kind::Retry;
  } else if (said.blame == "bug") {
    out.blame = Blame::Bug;
    out.kind = Kind::Retry;
  }
  if (!said.code.empty()) out.code = said.code;
  if (!said.detail.empty()) out.detail = said.detail;
  out.param = said.param;
  out.line = said.line;
  out.step = said.step;
  return out;
}

std::string text_or_empty(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::int64_t integer_or_0(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

}  // namespace

std::string_view to_string(Blame blame) {
  switch (blame) {
    case Blame::None:
      return "none";
    case Blame::User:
      return "user";
    case Blame::Infra:
      return "infra";
    case Blame::Bug:
      return "bug";
  }
  return "bug";
}

std::optional<RunResult> read_result(const std::filesystem::path& file) {
  std::error_code failed;
  const auto bytes = std::filesystem::file_size(file, failed);
  if (failed || bytes > kResultBytesMax) return std::nullopt;
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  try {
    const auto json = shared::parse_json(text.view());
    if (!json.is_object()) return std::nullopt;
    const auto ok = json.find("ok");
    if (ok == json.end() || !ok->is_boolean()) return std::nullopt;
    return RunResult{ok->get<bool>(),
                     text_or_empty(json, "blame"),
                     text_or_empty(json, "code"),
                     text_or_empty(json, "detail"),
                     text_or_empty(json, "param"),
                     integer_or_0(json, "line"),
                     integer_or_0(json, "step")};
  } catch (const Error&) {
    return std::nullopt;
  }
}

Outcome outcome_of(const Exit& exit, Ended ended, const std::optional<RunResult>& result) {
  // A child that had finished before our signal reached it has finished.
  if (exit == Exit{0, 0} && result && result->ok && ended != Ended::LeaseLost)
    return make(Kind::Succeeded, Blame::None, "", "");
  switch (ended) {
    case Ended::LeaseLost:
      return make(Kind::LeaseLost, Blame::Infra, "lease_lost", "another worker owns the job");
    case Ended::Cancelled:
      return make(Kind::Cancelled, Blame::None, "cancelled", "cancelled on request");
    case Ended::Drained:
      return make(Kind::Retry, Blame::Infra, "drained",
                  "the worker was told to stop; the run goes on elsewhere");
    case Ended::Stalled:
      return make(Kind::Retry, Blame::Infra, "stalled",
                  "the training process gave no sign of progress and was ended");
    case Ended::ByItself:
      break;
  }
  if (exit.signal != 0) return of_signal(exit.signal);
  const auto by_code = of_status(exit.status);
  return result && !result->ok ? of_result(*result, by_code) : by_code;
}

}  // namespace hone::worker
