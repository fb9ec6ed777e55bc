#include "services/worker/child.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "feedback/base/error.h"

namespace hone::worker {
namespace {

// Closed at exec, so that neither end leaks into another child.
std::array<int, 2> make_pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0)
    throw Error(Code::Busy, std::string("no pipe for a child: ") + std::strerror(errno));
  return ends;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (const auto& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

// After fork in a program with threads: system calls only, no memory, no locks.
[[noreturn]] void become(char* const* arguments, char* const* environment, const char* directory,
                         pid_t parent, int out, int err, int report) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const auto fail = [report] {
    const int reason = errno;
    [[maybe_unused]] const auto sent = write(report, &reason, sizeof reason);
    _exit(127);
  };
  if (getppid() != parent) _exit(127);  // it died between fork and prctl: nobody would tell us
  setpgid(0, 0);

  // Ignored survives exec: a nudge that comes before the program listens must not end it.
  struct sigaction action {};
  for (int number = 1; number < NSIG; ++number) {
    action.sa_handler = number == SIGUSR1 || number == SIGUSR2 ? SIG_IGN : SIG_DFL;
    sigaction(number, &action, nullptr);
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);

  const int nothing = open("/dev/null", O_RDONLY);
  if (nothing < 0 || dup2(nothing, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0) fail();
  if (chdir(directory) != 0) fail();
  // Files that a library opened without O_CLOEXEC are not the child's either.
  close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
  execve(arguments[0], arguments, environment);
  fail();
  _exit(127);
}

}  // namespace

Child::Child(const Options& options) {
  const auto arguments = pointers(options.arguments);
  const auto environment = pointers(options.environment);
  const auto out = make_pipe(), err = make_pipe(), report = make_pipe();
  const pid_t parent = getpid();

  pid_ = fork();
  if (pid_ == 0)
    become(arguments.data(), environment.data(), options.directory.c_str(), parent, out[1], err[1],
           report[1]);
  const int fork_error = errno;
  for (const int end : {out[1], err[1], report[1]}) close(end);
  int reason = fork_error;
  bool started = false;
  if (pid_ > 0) {
    setpgid(pid_, pid_);                                                 // whichever of us is first
    started = read(report[0], &reason, sizeof reason) != sizeof reason;  // closed by exec
  }
  close(report[0]);
  if (!started) {
    close(out[0]);
    close(err[0]);
    if (pid_ > 0) waitpid(pid_, nullptr, 0);
    throw Error(Code::Invalid,
                "cannot start " + options.arguments.at(0) + ": " + std::strerror(reason));
  }
  out_ = out[0];
  err_ = err[0];
  fcntl(out_, F_SETFL, O_NONBLOCK);
  fcntl(err_, F_SETFL, O_NONBLOCK);
}

Child::~Child() {
  if (!exit_) {
    kill_group();
    waitpid(pid_, nullptr, 0);
  }
  close(out_);
  close(err_);
}

void Child::signal(int number) const {
  if (!exit_) kill(pid_, number);
}

void Child::kill_group() const {
  if (!exit_) kill(-pid_, SIGKILL);
}

// What is left of its group ends with it, and before it is reaped: until then the group's number
// cannot have been given to a stranger.
const std::optional<Exit>& Child::poll() {
  if (exit_) return exit_;
  siginfo_t ended{};
  if (waitid(P_PID, static_cast<id_t>(pid_), &ended, WEXITED | WNOHANG | WNOWAIT) != 0 ||
      ended.si_pid == 0)
    return exit_;
  kill(-pid_, SIGKILL);
  int status = 0;
  waitpid(pid_, &status, 0);
  exit_ = WIFSIGNALED(status) ? Exit{0, WTERMSIG(status)} : Exit{WEXITSTATUS(status), 0};
  return exit_;
}

}  // namespace hone::worker
