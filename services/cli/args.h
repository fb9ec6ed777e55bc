// The words after `hone`: positional ones, options with a value, and switches.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace hone::cli {

/// What one command understands beyond its own words. `--json` and `--help` are every command's.
struct Syntax {
  std::set<std::string, std::less<>> options = {};   ///< `--name VALUE` or `--name=VALUE`
  std::set<std::string, std::less<>> repeated = {};  ///< options that may be given several times
  std::set<std::string, std::less<>> switches = {};  ///< `--name`
  std::size_t positional_min = 0;
  std::size_t positional_max = 0;
};

class Args {
 public:
  /// Throws Error{Invalid} naming the word that is unknown, missing or too many.
  Args(const Syntax& syntax, const std::vector<std::string>& words);

  const std::vector<std::string>& positional() const { return positional_; }
  const std::string& at(std::size_t index) const { return positional_.at(index); }
  std::optional<std::string> at_or_none(std::size_t index) const;

  bool has(std::string_view name) const;
  std::optional<std::string> find(std::string_view name) const;
  std::string value_or(std::string_view name, std::string fallback) const;
  /// Throws Error{Invalid} saying which option is needed.
  std::string need(std::string_view name) const;
  std::vector<std::string> all(std::string_view name) const;
  /// Throws Error{Invalid} for what is not a whole number.
  std::optional<long long> integer(std::string_view name) const;
  std::optional<double> number(std::string_view name) const;

 private:
  std::vector<std::string> positional_;
  std::multimap<std::string, std::string, std::less<>> options_;
};

}  // namespace hone::cli
