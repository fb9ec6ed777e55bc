// JSON from outside: parsed under limits into a value, then taken apart by a reader that knows
// where it stands, so that every complaint names its place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace hone::shared {

/// Counted during the parse: copying or dumping a deep value overflows the stack, so a deep value
/// must never come to be.
struct JsonLimits {
  std::size_t depth = 64;
  std::size_t nodes = 100'000;
  std::size_t string_bytes = 256 * 1024;
};

/// Throws Error{Invalid, detail, pointer} for: bad syntax or UTF-8, text after the value, too deep,
/// too many values, a too long string, a key given twice, an integer outside int64, U+0000.
/// `line` (of a JSONL file) goes into the error; 0 = not from a file of lines.
nlohmann::json parse_json(std::string_view text, const JsonLimits& limits = {},
                          std::int64_t line = 0);

/// Reads the members of one JSON object by name, each under its own bounds, and refuses the ones
/// that nobody asked for. Errors are Error{Invalid} with the member's JSON pointer.
///
///   Fields body(json);                               // throws unless it is an object
///   const auto name = body.text("name", {1, 200});   // required
///   const auto seed = body.find_integer("seed", 0, INT64_MAX);
///   body.done();                                     // refuses unknown members
class Fields {
 public:
  struct Length {
    std::size_t min = 0;
    std::size_t max = 1000;  ///< in bytes of UTF-8
  };

  explicit Fields(const nlohmann::json& object, std::string pointer = {}, std::int64_t line = 0);

  /// Absent and null are the same: not given.
  bool has(std::string_view name);
  std::string text(std::string_view name, Length length);
  std::optional<std::string> find_text(std::string_view name, Length length);
  std::int64_t integer(std::string_view name, std::int64_t min, std::int64_t max);
  std::optional<std::int64_t> find_integer(std::string_view name, std::int64_t min,
                                           std::int64_t max);
  double number(std::string_view name, double min, double max);
  std::optional<double> find_number(std::string_view name, double min, double max);
  bool boolean(std::string_view name);
  std::optional<bool> find_boolean(std::string_view name);
  /// One of the words given.
  std::string word(std::string_view name, std::initializer_list<std::string_view> words);
  std::optional<std::string> find_word(std::string_view name,
                                       std::initializer_list<std::string_view> words);
  /// A UUID, in lower case.
  std::string uuid(std::string_view name);
  std::optional<std::string> find_uuid(std::string_view name);
  std::vector<std::string> texts(std::string_view name, Length each, std::size_t max_items);
  /// The value itself; `object` and `list` also check what it is.
  const nlohmann::json& value(std::string_view name);
  const nlohmann::json* find_value(std::string_view name);
  Fields object(std::string_view name);
  std::optional<Fields> find_object(std::string_view name);
  const nlohmann::json& list(std::string_view name, std::size_t min_items, std::size_t max_items);

  /// Refuses members that none of the calls above asked for.
  void done() const;

  /// The JSON pointer of a member.
  std::string at(std::string_view name) const;
  [[noreturn]] void refuse(std::string_view name, const std::string& detail) const;

 private:
  const nlohmann::json* json_;
  std::string pointer_;
  std::int64_t line_;
  std::set<std::string, std::less<>> asked_;
};

/// True for 8-4-4-4-12 hexadecimal digits.
bool is_uuid(std::string_view text);

/// Escapes `~` and `/` for use in a JSON pointer.
std::string pointer_token(std::string_view name);

}  // namespace hone::shared
