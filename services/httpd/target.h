// The request's target, decoded at this one place.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hone::httpd {

struct Target {
  std::string path;
  std::vector<std::pair<std::string, std::string>> query;
};

/// Nothing when the target is not a plain absolute path: bad escapes, an escaped slash or
/// backslash, control characters, bad UTF-8, `.` or `..` or empty segments.
std::optional<Target> parse_target(std::string_view target);

/// `%41` and, where `plus_is_space`, `+`. Nothing for a bad escape.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space);
std::string percent_encode(std::string_view text);

}  // namespace hone::httpd
