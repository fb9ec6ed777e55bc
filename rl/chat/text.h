// Python's str on UTF-8: positions and counts are of characters, white space is Unicode's.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rl/chat/site.h"

namespace hone::rl::chat {

Int characters(std::string_view text);

/// Most bytes of characters to strip that are worth looking through for each that may go.
constexpr std::size_t kCharsMax = 1000;

/// Without white space, or without the characters of `chars`, at the ends asked for.
std::string_view stripped(std::string_view text, std::optional<std::string_view> chars, bool left,
                          bool right);

/// Looks for one string in others, in time linear in both.
class Finder {
 public:
  explicit Finder(std::string_view wanted);
  /// The byte it begins at, not before `from`, or npos.
  std::size_t next(std::string_view text, std::size_t from) const;

 private:
  std::string_view wanted_;
  std::vector<std::size_t> back_;
};

enum class Case { Lower, Upper, Capitalized, Title, TitleFilter };
/// Title is str.title, TitleFilter the filter of that name. Invalid for letters outside ASCII that
/// may have cases.
std::string cased(const Site& site, std::string_view text, Case which);

/// str.split: at white space without `separator`. At most `most` cuts, any number below 0.
std::vector<Value> split(const Site& site, std::string_view text,
                         std::optional<std::string_view> separator, Int most);
std::vector<Value> split_lines(const Site& site, std::string_view text, bool keep_ends);

/// str.replace, the first `most` of them, all below 0. Invalid for an empty `old`.
std::string replaced(const Site& site, std::string_view text, std::string_view old,
                     std::string_view with, Int most);

/// The text `times` times over.
std::string repeated(const Site& site, std::string_view text, Int times);

/// True for characters that Python surely prints as they are in a quoted string.
bool surely_printable(char32_t c);

}  // namespace hone::rl::chat
