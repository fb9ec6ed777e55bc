#include "services/run/events.h"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <iterator>
#include <nlohmann/json.hpp>
#include <thread>

#include "services/run/failures.h"

namespace hone::run {
namespace {

using Json = nlohmann::ordered_json;

std::atomic<bool> stop_asked{false};
std::atomic<bool> paused{false};

constexpr auto kQuick = std::chrono::milliseconds(200);  // between progress lines of one stage
constexpr auto kQuiet = std::chrono::seconds(1);         // after which the last one is told again

constexpr int kOurs[] = {SIGTERM, SIGINT, SIGUSR1, SIGUSR2};

sigset_t our_signals() {
  sigset_t out;
  sigemptyset(&out);
  for (const int signal : kOurs) sigaddset(&out, signal);
  return out;
}

void take_signal(int signal) {
  if (signal == SIGUSR1)
    paused = true;
  else if (signal == SIGUSR2)
    paused = false;
  else
    stop_asked = true;
}

Json object_of(const rl::Values& values) {
  Json out = Json::object();
  for (const auto& [name, value] : values) out[name] = value;
  return out;
}

}  // namespace

bool hold_signals() {
  const auto ours = our_signals();
  sigset_t before;
  pthread_sigmask(SIG_BLOCK, &ours, &before);
  return std::any_of(std::begin(kOurs), std::end(kOurs),
                     [&](int signal) { return sigismember(&before, signal) == 0; });
}

void listen_to_signals() {
  hold_signals();
  // A worker starts us with some ignored, and what is ignored need not wait for anybody.
  for (const int signal : kOurs) std::signal(signal, SIG_DFL);
  std::signal(SIGPIPE, SIG_IGN);
  // One thread takes them one after another. With handlers a pause and a go-on that came while the
  // process had no processor could run on two threads at once, or nested, and the pause end last.
  std::thread([ours = our_signals()] {
    for (int signal = 0;;)
      if (sigwait(&ours, &signal) == 0) take_signal(signal);
  }).detach();
}

void watch_parent() {
  struct stat info {};
  if (fstat(STDOUT_FILENO, &info) != 0 || !(S_ISFIFO(info.st_mode) || S_ISSOCK(info.st_mode)))
    return;
  std::thread([] {
    for (;;) {
      pollfd out{STDOUT_FILENO, 0, 0};
      poll(&out, 1, 1000);
      // A checkpoint in the making is left under its temporary name: no later attempt takes it for
      // whole.
      if (out.revents & (POLLERR | POLLHUP | POLLNVAL)) _exit(kTryAgain);
    }
  }).detach();
}

void EventWriter::write(const std::string& line) {
  const std::string text = line + "\n";
  for (std::size_t done = 0; done < text.size();) {
    const auto n = ::write(STDOUT_FILENO, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw ParentGone();
    done += static_cast<std::size_t>(n);
  }
  last_written_ = Clock::now();
}

void EventWriter::progress(std::string_view stage, std::int64_t done, std::int64_t total,
                           double eta_s) {
  const auto now = Clock::now();
  const bool new_stage = stage != last_stage_;
  if (new_stage) {
    stage_start_ = now;
    stage_begun_at_ = done;  // what an earlier attempt did took no time of this one
  }
  const auto done_now = done - stage_begun_at_;
  if (eta_s < 0 && done_now > 0)  // a stage that goes on as it went
    eta_s = std::chrono::duration<double>(now - stage_start_).count() /
            static_cast<double>(done_now) * static_cast<double>(total - done);
  Json line = {{"type", "progress"}, {"stage", stage}, {"done", done}, {"total", total}};
  line["eta_s"] = eta_s >= 0 ? Json(eta_s) : Json();
  last_progress_ = line.dump();
  const bool step = stage == "train" && done != last_done_;
  last_stage_ = stage;
  last_done_ = done;
  if (new_stage || step || done == total || now - last_written_ >= kQuick) write(last_progress_);
}

void EventWriter::metrics(std::int64_t step, std::int64_t total_steps, double eta_s,
                          const rl::Values& values) {
  write(Json{{"type", "metrics"},
             {"step", step},
             {"total_steps", total_steps},
             {"eta_s", eta_s},
             {"values", object_of(values)}}
            .dump());
}

void EventWriter::checkpoint(std::int64_t step, const std::filesystem::path& path) {
  write(Json{{"type", "checkpoint"},
             {"step", step},
             {"path", path.lexically_proximate(root_).generic_string()}}
            .dump());
}

void EventWriter::message(std::string_view level, const std::string& text) {
  write(Json{{"type", "message"}, {"level", level}, {"text", text}}.dump(
      -1, ' ', false, Json::error_handler_t::replace));
}

void EventWriter::evaluation(const rl::Values& values) {
  write(Json{{"type", "evaluation"}, {"values", object_of(values)}}.dump());
}

bool EventWriter::stop_requested() {
  while (paused && !stop_asked) {
    if (!last_progress_.empty() && Clock::now() - last_written_ >= kQuiet) write(last_progress_);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  if (!last_progress_.empty() && Clock::now() - last_written_ >= kQuiet) write(last_progress_);
  return stop_asked;
}

}  // namespace hone::run
