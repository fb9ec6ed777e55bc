// A template's source to tokens, with the white-space rules that chat templates are rendered under.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hone::rl::chat {

struct Place {
  int line = 1;
  int column = 1;
};

struct Token {
  enum class Kind {
    Data,
    BeginBlock,
    BeginOutput,
    End,
    Name,
    Integer,
    Float,
    Text,
    Operator,
    Finish
  } kind;
  std::string text;  ///< the data, name, digits, string value or operator
  Place place;
};

/// Tokens up to and with one Finish. Jinja's rules with trim_blocks and lstrip_blocks on, as every
/// loader of chat templates sets them: the line break after a block goes, and so does the indent
/// before one. Invalid naming the place of what is not understood.
std::vector<Token> tokenize(std::string_view source);

/// Python's str.isspace for one code point.
bool is_space(char32_t value);

/// Throws Invalid: "chat template, line l, column c: <what>".
[[noreturn]] void refuse(const Place& place, const std::string& what);

}  // namespace hone::rl::chat
