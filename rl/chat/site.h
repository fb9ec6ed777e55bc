// Where in a template something is computed, and what the computation may still use up. Every value
// that grows is made here, so that no template, however hostile, outgrows its limits.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rl/chat/lexer.h"
#include "rl/chat/value.h"

namespace hone::rl::chat {

constexpr std::size_t kStepsMax = 1'000'000;
constexpr std::size_t kTextMax = 64'000'000;    // of one string, and of the output
constexpr std::size_t kBytesMax = 512'000'000;  // of all that one rendering makes
constexpr int kValueDepthMax = 64;              // of lists in lists

/// What one rendering has used up.
struct Used {
  std::size_t steps = 0;
  std::size_t bytes = 0;
};

struct Site {
  Used& used;
  const Place& place;

  [[noreturn]] void refuse(const std::string& what) const { chat::refuse(place, what); }
  /// Invalid past the limit on steps, or on bytes made or walked over.
  void step(std::size_t count = 1) const;
  void bytes(std::size_t count) const;

  Value text(std::string text) const;
  Value list(std::vector<Value> items, Sequence::Shape shape = Sequence::Shape::List) const;
  Value dict(Mapping mapping) const;
  Value stream(std::vector<Value> items) const;
};

/// The arguments of a call.
struct Arguments {
  std::vector<Value> given;
  std::vector<std::pair<std::string, Value>> named;
};

/// The arguments by parameter, as Python binds them; null for one that is absent. Invalid for too
/// many, an unknown name, one given twice, or fewer than `required`.
std::vector<const Value*> bind(const Site& site, std::string_view what,
                               const std::vector<std::string_view>& parameters,
                               std::size_t required, const Arguments& arguments);

/// The values of a for loop over `value`, or of list(value): a dictionary's keys, a string's
/// characters, none of an undefined value. A stream is used up by it.
std::vector<Value> walk(const Site& site, const Value& value);

/// An integer, or Invalid.
Int whole(const Site& site, const Value& value);

}  // namespace hone::rl::chat
