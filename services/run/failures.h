// What ended a command, as an exit code and as what result.json says of it: the one place that
// knows.
#pragma once

#include <cstdint>
#include <exception>
#include <string>

namespace hone::run {

enum ExitCode : int {
  kDone = 0,
  kSpec = 64,
  kData = 65,
  kBug = 70,
  kIo = 74,
  kTryAgain = 75,
  kStopped = 130
};

struct Failure {
  int exit_code = kBug;
  std::string blame;  ///< "user", "infra" or "bug"
  std::string code;   ///< "spec", "data", "base", "diverged", "memory", "no_space", "io", "bug"
  std::string detail;
  std::string param = {};  ///< the field at fault, or empty
  std::int64_t line = 0;   ///< of the data, or 0
  std::int64_t step = -1;  ///< or -1
};

/// The parent has closed our standard output: nobody is there to work for.
struct ParentGone : std::exception {
  const char* what() const noexcept override { return "the parent process is gone"; }
};

/// Sorts the exception that is being handled.
Failure current_failure();

/// {"ok":false,"blame","code","detail","param","line","step"}
std::string to_json(const Failure& failure);

}  // namespace hone::run
