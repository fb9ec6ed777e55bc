// The end of a run that is nobody's bug: what to tell, whose fault, at which step.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace hone::rl {

class RunFailure : public std::runtime_error {
 public:
  RunFailure(std::string whose, std::string what_kind, const std::string& detail,
             std::int64_t at_step = -1, std::string field = "")
      : std::runtime_error(detail),
        blame(std::move(whose)),
        code(std::move(what_kind)),
        param(std::move(field)),
        step(at_step) {}

  std::string blame;  ///< "user", "infra" or "bug"
  std::string code;   ///< "diverged", "reference", "memory" ...
  std::string param;  ///< the spec's field to look at, or empty
  std::int64_t step;  ///< -1: before the first
};

}  // namespace hone::rl
