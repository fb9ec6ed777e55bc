// Values as text: Python's str and repr, and json.dumps.
#pragma once

#include <optional>
#include <string>

#include "rl/chat/site.h"

namespace hone::rl::chat {

/// str(value), as an output shows it. Invalid for what has no text worth showing.
std::string printed(const Site& site, const Value& value);

/// Python's repr of a float: the shortest digits that read back as the same number.
std::string float_text(double value);

struct JsonStyle {
  bool ascii = false;                 ///< escape everything outside ASCII
  std::optional<std::string> indent;  ///< one level's; absent: all on one line
  std::string between = ", ";
  std::string after_key = ": ";
  bool sorted = false;
};

/// json.dumps(value). Invalid for what it has no text for, an undefined value among them.
std::string to_json(const Site& site, const Value& value, const JsonStyle& style);

}  // namespace hone::rl::chat
