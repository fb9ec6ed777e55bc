#include "rl/chat/value.h"

namespace hone::rl::chat {

const Value* Mapping::find(std::string_view key) const {
  const auto found = at_.find(key);
  return found == at_.end() ? nullptr : &items[found->second].second;
}

// A key that is there already keeps its place, as in Python.
void Mapping::set(std::string_view key, Value value) {
  const auto [found, is_new] = at_.emplace(key, items.size());
  if (is_new)
    items.emplace_back(key, std::move(value));
  else
    items[found->second].second = std::move(value);
}

std::string type_of(const Value& value) {
  if (const auto* list = value.as<SharedList>()) {
    constexpr const char* kShapes[] = {"a list",
                                       "a tuple",
                                       "a range",
                                       "a dictionary's keys",
                                       "a dictionary's values",
                                       "a dictionary's items"};
    return kShapes[static_cast<std::size_t>((*list)->shape)];
  }
  constexpr const char* kTypes[] = {
      "an undefined value", "none",   "a truth value", "an integer",  "a float",
      "a string",           "a list", "a dictionary",  "an iterator", "a namespace",
      "a function",         "a macro"};
  return kTypes[value.is.index()];
}

bool is_true(const Value& value) {
  if (value.as<Undefined>() || value.as<None>()) return false;
  if (const auto* b = value.as<bool>()) return *b;
  if (const auto* i = value.as<Int>()) return *i != 0;
  if (const auto* f = value.as<double>()) return *f != 0;
  if (const auto* s = value.text()) return !s->empty();
  if (const auto* l = value.as<SharedList>()) return !(*l)->items.empty();
  if (const auto* d = value.as<SharedDict>()) return !(*d)->items.empty();
  return true;
}

const Int* integer(const Value& value, Int& store) {
  if (const auto* i = value.as<Int>()) return i;
  if (const auto* b = value.as<bool>()) {
    store = *b;
    return &store;
  }
  return nullptr;
}

}  // namespace hone::rl::chat
