// Runs another program and keeps what it prints.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace hone::cli {

struct Ran {
  int status = 0;  ///< exit status; 128 + signal when one ended it
  std::string out, err;
};

/// No shell, an empty standard input. Throws Error{NotFound} when the program cannot be started.
Ran run_program(const std::filesystem::path& program, const std::vector<std::string>& args);

}  // namespace hone::cli
