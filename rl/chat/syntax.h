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
    Float,
    Boolean,
    None,
    Name,
    List,
    Tuple,
    Dict,       // items are key, value, key, value ...
    Attribute,  // items[0].text
    Subscript,  // items[0][items[1]]
    Slice,      // items[0][items[1]:items[2]:items[3]], an absent one is null
    Loop,       // loop.text
    Cycle,      // loop.cycle(items...)
    Not,
    Negate,
    Plus,  // of one number
    And,
    Or,
    Binary,    // text is + - * / // % ** or ~
    Compare,   // items[0] names[0] items[1] names[1] items[2] ...
    Choice,    // items[1] ? items[0] : items[2], which may be null
    Filter,    // items[0] | text(items[1...])
    Test,      // items[0] is text(items[1...])
    Method,    // items[0].text(items[1...])
    Call,      // text(items...)
    Captured,  // what the body of a set block gave
  } kind;
  std::string text = {};
  std::int64_t number = 0;
  double real = 0;
  std::vector<std::unique_ptr<Expression>> items = {};
  /// Filter, Test, Method, Call: the names of the last arguments. Compare: the operators.
  std::vector<std::string> names = {};
  Place place = {};
  int height = 1;  ///< of the tree: carrying it out and freeing it call themselves
};

/// What Set and For give a value.
struct Target {
  std::vector<std::string> names = {};
  bool unpacks = false;        ///< one value for each name
  std::string attribute = {};  ///< of the namespace names[0]; empty: the name itself
};

struct Statement {
  enum class Kind { Data, Output, If, For, Set, SetBlock, Macro, Generation, Break, Continue } kind;
  std::string text = {};  ///< the data; the macro's name
  Target target = {};     ///< Set, SetBlock, For; Macro: the parameters
  /// Output, Set, SetBlock: one. If: a condition for each branch, null for else. For: the list, and
  /// the condition or null. Macro: a default or null for each parameter.
  std::vector<std::unique_ptr<Expression>> expressions = {};
  /// If: one for each branch. For: one, and that of its else. SetBlock, Macro, Generation: one.
  std::vector<std::vector<Statement>> bodies = {};
  Place place = {};
};

struct Script {
  /// A name that its scope sets only after a scope inside it has read it. Jinja then finds nothing
  /// where the name stands for something that the template was given.
  struct Late {
    std::string name;
    Place place;
  };
  std::vector<Statement> statements;
  std::vector<Late> late;
};

/// Invalid naming the first construct outside the subset, and its place.
Script parse(const std::vector<Token>& tokens);

}  // namespace hone::rl::chat
