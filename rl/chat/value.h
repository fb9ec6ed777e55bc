// The values a template computes with.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace hone::rl::chat {

struct Value;
/// A name or key that does not exist: false, empty when printed or walked, an error in anything
/// else.
struct Undefined {
  std::string what;
};
struct None {};
// Shared, because a list or a message is handed around and never changed.
using List = std::shared_ptr<const std::vector<Value>>;
using Dict = std::shared_ptr<const std::map<std::string, Value>>;

struct Value {
  std::variant<Undefined, None, bool, std::int64_t, std::string, List, Dict> is;

  template <class T>
  const T* as() const {
    return std::get_if<T>(&is);
  }
};

}  // namespace hone::rl::chat
