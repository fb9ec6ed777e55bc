#include "services/worker/supervise.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include "services/shared/log.h"
#include "services/worker/lines.h"

namespace hone::worker {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr int kTickMs = 100;
constexpr std::size_t kErrorLogBytesMax = 8 << 20;
// While in doubt the signal is sent again: the child ignores it until it has a handler. So is,
// once, the one to go on: two threads of the child may take the two signals, in either order.
constexpr milliseconds kNudgeEvery{1'000};
constexpr milliseconds kGraceMax{120'000};

// The child's standard error, kept up to a bound so that a child gone wild cannot fill the disk.
class ErrorLog {
 public:
  explicit ErrorLog(const std::filesystem::path& file)
      : file_(open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) {}
  ~ErrorLog() {
    if (file_ >= 0) close(file_);
  }
  ErrorLog(const ErrorLog&) = delete;
  ErrorLog& operator=(const ErrorLog&) = delete;
  void append(std::string_view bytes) {
    if (file_ < 0 || written_ > kErrorLogBytesMax) return;
    written_ += bytes.size();
    if (written_ > kErrorLogBytesMax) bytes = "\n[the rest was dropped: too much]\n";
    [[maybe_unused]] const auto done =
        write(file_, bytes.data(), bytes.size());  // a log, not a promise
  }

 private:
  int file_;
  std::size_t written_ = 0;
};

// Reads what is there; false at the end of the stream. Bounded, so that a child which writes
// without pause cannot keep us from looking at the lease.
template <class Take>
bool read_some(int fd, Take&& take) {
  std::array<char, 64 * 1024> buffer;
  for (int i = 0; i < 16; ++i) {
    const auto got = read(fd, buffer.data(), buffer.size());
    if (got > 0)
      take(std::string_view(buffer.data(), static_cast<std::size_t>(got)));
    else
      return got < 0 && (errno == EAGAIN || errno == EINTR);
  }
  return true;
}

// One child and what has been asked of it.
class Watch {
 public:
  Watch(const Child::Options& program, const Supervision& how, const Heartbeat& heartbeat,
        std::stop_token stop)
      : how_(how),
        heartbeat_(heartbeat),
        stop_(std::move(stop)),
        stall_(Clock::now(), how.stall),
        log_(how.error_log),
        lines_([this](std::string_view line) { how_.on_line(line, stall_); }),
        child_(program) {}

  Supervised run() {
    while (true) {
      wait_for_output(kTickMs);
      how_.on_tick();
      if (const auto& exit = child_.poll()) {
        wait_for_output(0);  // what it wrote last is still in the pipe
        return {*exit, ended_};
      }
      decide(Clock::now());
    }
  }

 private:
  void wait_for_output(int timeout_ms) {
    held_back_ = timeout_ms > 0 && how_.hold_back();
    std::array<pollfd, 2> fds{{{held_back_ || !out_open_ ? -1 : child_.out(), POLLIN, 0},
                               {err_open_ ? child_.err() : -1, POLLIN, 0}}};
    poll(fds.data(), fds.size(), timeout_ms);
    if (fds[0].revents)
      out_open_ = read_some(child_.out(), [this](auto bytes) { lines_.feed(bytes); });
    if (fds[1].revents)
      err_open_ = read_some(child_.err(), [this](auto bytes) { log_.append(bytes); });
    // A child that closed its output and lives on is watched by the clock alone.
    if (!out_open_ && !err_open_ && timeout_ms > 0) poll(nullptr, 0, timeout_ms);
  }

  void decide(Clock::time_point now) {
    if (killed_) return;
    const auto state = heartbeat_.state();
    if (state == Heartbeat::State::Lost) return kill(Ended::LeaseLost);
    if (kill_at_ && now > *kill_at_) return kill(ended_);
    if (!kill_at_ && heartbeat_.cancel_requested()) return ask_to_stop(Ended::Cancelled, now);
    if (!kill_at_ && stop_.stop_requested()) return ask_to_stop(Ended::Drained, now);
    pause_or_go_on(state, now);
    if (held_back_) stall_.resumed(now);  // it waits for us
    if (!nudged_at_ && !kill_at_ && stall_.stalled(now)) return kill(Ended::Stalled);
  }

  void pause_or_go_on(Heartbeat::State state, Clock::time_point now) {
    if (state == Heartbeat::State::InDoubt) {
      if (nudged_at_ && now - *nudged_at_ < kNudgeEvery) return;
      if (!nudged_at_)
        shared::log_warning("run_paused",
                            {{"reason", "no answer from the store; the lease is in doubt"}});
      child_.signal(SIGUSR1);
      nudged_at_ = now;
      again_at_.reset();
    } else if (nudged_at_) {
      shared::log_info("run_goes_on", {{"reason", "the lease is proven"}});
      child_.signal(SIGUSR2);
      stall_.resumed(now);
      nudged_at_.reset();
      again_at_ = now + kNudgeEvery;
    } else if (again_at_ && now >= *again_at_) {
      child_.signal(SIGUSR2);
      again_at_.reset();
    }
  }

  void ask_to_stop(Ended why, Clock::time_point now) {
    ended_ = why;
    kill_at_ = now + std::min<Clock::duration>(how_.grace + stall_.long_step() * 3 / 2, kGraceMax);
    child_.signal(SIGTERM);
  }

  void kill(Ended why) {
    ended_ = why;
    killed_ = true;
    child_.kill_group();
  }

  const Supervision& how_;
  const Heartbeat& heartbeat_;
  std::stop_token stop_;
  Stall stall_;
  ErrorLog log_;
  Lines lines_;
  Child child_;
  bool out_open_ = true, err_open_ = true, held_back_ = false, killed_ = false;
  Ended ended_ = Ended::ByItself;
  std::optional<Clock::time_point> kill_at_;    // set once it was asked to stop
  std::optional<Clock::time_point> nudged_at_;  // set while it is told to wait
  std::optional<Clock::time_point> again_at_;   // to tell it once more to go on
};

}  // namespace

Supervised supervise(const Child::Options& program, const Supervision& how,
                     const Heartbeat& heartbeat, std::stop_token stop) {
  return Watch(program, how, heartbeat, std::move(stop)).run();
}

}  // namespace hone::worker
