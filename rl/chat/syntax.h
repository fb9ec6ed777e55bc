// A parsed template: statements and expressions.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "rl/chat/lexer.h"

namespace hone::rl::chat {

struct Expression {
  enum class Kind {
    Text,
    Integer,
    Boolean,
    None,
    Name,
    List,
    Attribute,  // items[0].text
    Subscript,  // items[0][items[1]]
    Slice,      // items[0][items[1]:items[2]], an absent bound is null
    Not,
    Negate,
    And,
    Or,
    Binary,  // text is + - % ~ == != < <= > >= in, or "not in"
    Choice,  // items[1] ? items[0] : items[2], which may be null
    Filter,  // text(items[0])
    Test,    // items[0] is text
    Method,  // items[0].text(items[1...])
    Raise,   // raise_exception(items[0])
  } kind;
  std::string text = {};
  std::int64_t number = 0;
  std::vector<std::unique_ptr<Expression>> items = {};
  Place place = {};
  int height = 1;  ///< of the tree: carrying it out and freeing it call themselves
};

struct Statement {
  enum class Kind { Data, Output, If, For, Set } kind;
  std::string text = {};  ///< the data; the name that For or Set gives a value
  /// Output, Set, For: one. If: a condition for each branch, null for else.
  std::vector<std::unique_ptr<Expression>> expressions = {};
  std::vector<std::vector<Statement>> bodies = {};  ///< For: one; If: one for each branch
  Place place = {};
};

/// Invalid naming the first construct outside the subset, and its place.
std::vector<Statement> parse(const std::vector<Token>& tokens);

}  // namespace hone::rl::chat
