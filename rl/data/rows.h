// Lines of a data file as JSON objects, and the fields that rows of every method share. Whatever is
// wrong is refused with the line and the field.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rl/data/conversation.h"

namespace hone::rl {

struct ReadOptions {
  std::int64_t max_tokens = 1024;  ///< of prompt and response together
};

/// Throws Invalid: "line 3: chosen is empty ...".
[[noreturn]] void bad_row(std::int64_t line, const std::string& field, const std::string& what);

/// Calls `each` with every line that is not blank, as an object, and its 1-based number. Invalid
/// for a line that is none, and for a file without rows. Returns the number of rows.
std::int64_t for_each_row(
    std::string_view text,
    const std::function<void(const nlohmann::json& row, std::int64_t line)>& each);

/// One object of a row: `at` stands before its members' names in errors ("judgments/0/").
class RowFields {
 public:
  RowFields(const nlohmann::json& object, std::int64_t line, std::string at = "");
  RowFields(nlohmann::json&&, std::int64_t, std::string = "") = delete;

  bool has(const std::string& name) const;  ///< present and not null
  const nlohmann::json& at(const std::string& name) const;
  std::string text(const std::string& name) const;
  std::optional<std::string> find_text(const std::string& name) const;
  std::optional<bool> find_flag(const std::string& name) const;
  /// Inside [low, high].
  double number(const std::string& name, double low, double high) const;
  std::optional<double> find_number(const std::string& name, double low, double high) const;
  [[noreturn]] void refuse(const std::string& name, const std::string& what) const;
  std::string path(const std::string& name) const { return at_ + name; }
  std::int64_t line() const { return line_; }

 private:
  const nlohmann::json* row_;
  std::int64_t line_;
  std::string at_;
};

/// A list of {"role", "content"}; not empty.
std::vector<Message> messages_of(const RowFields& row, const std::string& name);
/// A text, or messages.
Prompt prompt_of(const RowFields& row, const std::string& name);
/// A response as text: itself, or the one assistant message of a list. Invalid when it is empty.
std::string response_of(const RowFields& row, const std::string& name);
/// A response of several messages. Transcripts hold a few answers that go on over further turns;
/// training on a part of one would score what nobody judged.
bool has_several_turns(const RowFields& row, const std::string& name);
/// "split": "train", which is also what its absence means, or "held_out".
bool is_held_out(const RowFields& row);
/// "source" and "tags", joined by commas: what the row's figures are told apart by.
std::string slice_of(const RowFields& row);

/// Invalid when `too_long` are more than 5 % of `rows`: what is left out would no longer be an
/// accident.
void refuse_many_too_long(std::int64_t too_long, std::int64_t rows, std::int64_t max_tokens);

}  // namespace hone::rl
