// The values a template computes with: Python's, as far as a template can reach them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace hone::rl::chat {

using Int = std::int64_t;

struct Value;
struct Sequence;
struct Mapping;
struct Stream;
struct Namespace;
struct Statement;

/// A name or key that does not exist: false, empty when printed or walked, an error in almost
/// anything else.
struct Undefined {
  std::string what;
};
struct None {};
// Shared, because they are handed around and never changed.
using SharedText = std::shared_ptr<const std::string>;
using SharedList = std::shared_ptr<const Sequence>;
using SharedDict = std::shared_ptr<const Mapping>;
/// What Python's lazy filters give; shared, because walking it once uses it up for everyone.
using SharedStream = std::shared_ptr<Stream>;

enum class Function { Range, Dict, Namespace, Raise, StrftimeNow };

struct Value {
  /// The namespaces belong to the rendering that made them, and the macros to the template: both
  /// outlive every value.
  std::variant<Undefined, None, bool, Int, double, SharedText, SharedList, SharedDict, SharedStream,
               Namespace*, Function, const Statement*>
      is;

  template <class T>
  const T* as() const {
    return std::get_if<T>(&is);
  }
  const std::string* text() const {
    const auto* shared = as<SharedText>();
    return shared == nullptr ? nullptr : shared->get();
  }
};

/// A list or one of the things that walk like one.
struct Sequence {
  enum class Shape { List, Tuple, Range, Keys, Values, Items } shape = Shape::List;
  std::vector<Value> items;
  int depth = 1;  ///< how deep lists and dictionaries nest; what walks a value calls itself
};

/// A dictionary: string keys in the order they came.
struct Mapping {
  std::vector<std::pair<std::string, Value>> items;
  int depth = 1;

  const Value* find(std::string_view key) const;
  void set(std::string_view key, Value value);

 private:
  std::map<std::string, std::size_t, std::less<>> at_;
};

struct Stream {
  std::vector<Value> items;
  bool walked = false;
  int depth = 1;
};

struct Namespace {
  Mapping attributes;
};

/// "a list", "an integer": what a refusal calls the value.
std::string type_of(const Value& value);

/// Python's bool(value).
bool is_true(const Value& value);

/// The integer a value is to Python (a truth value is 0 or 1), or null; `store` holds one that has
/// no place of its own.
const Int* integer(const Value& value, Int& store);

}  // namespace hone::rl::chat
