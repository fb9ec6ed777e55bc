// The command line: COMMAND, places, --flags.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace hone::run {

struct Arguments {
  std::vector<std::string> places;  ///< what is no flag, in order
  std::map<std::string, std::string>
      flags;  ///< "--seed 3", "--seed=3"; a switch has an empty value

  bool has(const std::string& flag) const { return flags.contains(flag); }
  std::optional<std::int64_t> integer(const std::string& flag) const;
  std::optional<double> number(const std::string& flag) const;
  std::optional<std::string> text(const std::string& flag) const;
};

/// Splits argv from `first` on. `with_value` and `switches` name the flags that exist, without
/// dashes; any other is refused with Invalid, as is a wrong number of places.
Arguments parse_arguments(int argc, char** argv, int first,
                          const std::vector<std::string>& with_value,
                          const std::vector<std::string>& switches, std::size_t places);

}  // namespace hone::run
