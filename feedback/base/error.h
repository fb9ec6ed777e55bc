// The failure of one request or one run: thrown where it is found, turned into a reply in one
// place (services/server) or into an exit code in another (services/run).
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace hone {

/// What kind of failure, by what the caller can do about it.
enum class Code {
  Invalid,          ///< the request or file is wrong: mend it and try again
  Unauthenticated,  ///< who is asking is not known
  Forbidden,        ///< known, and not allowed
  NotFound,         ///< no such thing, or not the caller's to see
  Conflict,         ///< the thing is not in a state that allows this
  Busy,             ///< not now: a resource is full or away; a retry may work
};

/// `detail` is written for the caller: it says what is wrong and what to do next, and never holds
/// internals. `pointer` (a JSON pointer or field name) and `line` (1-based, of an uploaded or read
/// file) say where, when that is known.
class Error : public std::runtime_error {
 public:
  Error(Code code, const std::string& detail) : std::runtime_error(detail), code_(code) {}
  Error(Code code, const std::string& detail, std::string pointer, std::int64_t line = 0)
      : std::runtime_error(detail), code_(code), pointer_(std::move(pointer)), line_(line) {}

  Code code() const { return code_; }
  std::string detail() const { return what(); }
  const std::string& pointer() const { return pointer_; }  ///< empty when not known
  std::int64_t line() const { return line_; }              ///< 0 when not known

 private:
  Code code_;
  std::string pointer_;
  std::int64_t line_ = 0;
};

}  // namespace hone
