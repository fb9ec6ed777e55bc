// A program started in a process group of its own: it cannot outlive this one, holds none of its
// files and sees none of its environment.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace hone::worker {

/// How a child ended: its exit status, or the signal that ended it.
struct Exit {
  int status = 0;
  int signal = 0;  ///< 0 when it exited by itself
  bool operator==(const Exit&) const = default;
};

/// A running child. The kernel kills it (SIGKILL) when the *thread* that made it ends, so make it
/// on one that lives as long as the work. One thread uses a Child at a time.
class Child {
 public:
  struct Options {
    std::vector<std::string> arguments;    ///< the program's path first
    std::vector<std::string> environment;  ///< all that it sees, as NAME=value
    std::filesystem::path directory;       ///< where it works
  };

  /// Throws Error{Invalid} with the system's reason when the program cannot be started.
  explicit Child(const Options& options);
  /// Kills what is left of the group.
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  int out() const { return out_; }  ///< its standard output, non-blocking
  int err() const { return err_; }  ///< its standard error, non-blocking
  pid_t pid() const { return pid_; }

  /// To the child alone. SIGUSR1 and SIGUSR2 are ignored until it handles them.
  void signal(int number) const;
  /// SIGKILL to all of its group.
  void kill_group() const;
  /// Not empty once it has ended, and the rest of its group with it; does not wait.
  const std::optional<Exit>& poll();

 private:
  pid_t pid_ = -1;
  int out_ = -1;
  int err_ = -1;
  std::optional<Exit> exit_;
};

}  // namespace hone::worker
