#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>

#include "rl/chat/filters.h"
#include "rl/chat/text.h"

namespace hone::rl::chat {
namespace {

using Shape = Sequence::Shape;
using TextMethod = std::function<Value(const Site&, const std::string&, const Arguments&)>;
using DictMethod = std::function<Value(const Site&, const Mapping&, const Arguments&)>;

const std::string& want_text(const Site& site, std::string_view name, const Value& value) {
  if (value.text() == nullptr)
    site.refuse(fmt::format("{} wants a string, not {}", name, type_of(value)));
  return *value.text();
}

bool is_given(const Value* value) { return value != nullptr && !value->as<None>(); }

TextMethod strip(const char* name, bool left, bool right) {
  return [=](const Site& site, const std::string& text, const Arguments& arguments) {
    const auto bound = bind(site, name, {""}, 0, arguments);
    std::optional<std::string_view> chars;
    if (is_given(bound[0])) chars = want_text(site, name, *bound[0]);
    if (chars && chars->size() > kCharsMax) site.refuse("too many characters to strip");
    return site.text(std::string(stripped(text, chars, left, right)));
  };
}

// startswith and endswith take one string, or a tuple of which any will do.
TextMethod affixed(const char* name, bool (*has)(const std::string&, const std::string&)) {
  return [=](const Site& site, const std::string& text, const Arguments& arguments) {
    const auto& wanted = *bind(site, name, {""}, 1, arguments)[0];
    const auto* several = wanted.as<SharedList>();
    if (several == nullptr || (*several)->shape != Shape::Tuple)
      return Value{has(text, want_text(site, name, wanted))};
    bool any = false;
    for (const auto& one : (*several)->items) any = has(text, want_text(site, name, one)) || any;
    return Value{any};
  };
}

TextMethod casing(const char* name, Case which) {
  return [=](const Site& site, const std::string& text, const Arguments& arguments) {
    bind(site, name, {}, 0, arguments);
    return site.text(cased(site, text, which));
  };
}

TextMethod without(const char* name, bool at_start) {
  return [=](const Site& site, const std::string& text, const Arguments& arguments) {
    const auto& part = want_text(site, name, *bind(site, name, {""}, 1, arguments)[0]);
    if (at_start && text.starts_with(part)) return site.text(text.substr(part.size()));
    if (!at_start && text.ends_with(part))
      return site.text(text.substr(0, text.size() - part.size()));
    return site.text(text);
  };
}

Value split_text(const Site& site, const std::string& text, const Arguments& arguments) {
  const auto bound = bind(site, "split", {"sep", "maxsplit"}, 0, arguments);
  std::optional<std::string_view> separator;
  if (is_given(bound[0])) separator = want_text(site, "split", *bound[0]);
  return site.list(split(site, text, separator, bound[1] ? whole(site, *bound[1]) : -1));
}

Value lines(const Site& site, const std::string& text, const Arguments& arguments) {
  const auto bound = bind(site, "splitlines", {"keepends"}, 0, arguments);
  return site.list(split_lines(site, text, bound[0] != nullptr && is_true(*bound[0])));
}

Value replace(const Site& site, const std::string& text, const Arguments& arguments) {
  const auto bound = bind(site, "replace", {"", "", ""}, 2, arguments);
  return site.text(replaced(site, text, want_text(site, "replace", *bound[0]),
                            want_text(site, "replace", *bound[1]),
                            bound[2] ? whole(site, *bound[2]) : -1));
}

Value find(const Site& site, const std::string& text, const Arguments& arguments) {
  const auto& wanted = want_text(site, "find", *bind(site, "find", {""}, 1, arguments)[0]);
  site.bytes(text.size() + wanted.size());
  const auto at = Finder(wanted).next(text, 0);
  if (at == std::string::npos) return {Int{-1}};
  return {characters(std::string_view(text).substr(0, at))};
}

Value join(const Site& site, const std::string& text, const Arguments& arguments) {
  std::string made;
  bool starting = true;
  for (const auto& part : walk(site, *bind(site, "join", {""}, 1, arguments)[0])) {
    site.step();
    if (!starting) made += text;
    starting = false;
    made += want_text(site, "join", part);
    if (made.size() > kTextMax) site.refuse(fmt::format("a string grows past {} bytes", kTextMax));
  }
  return site.text(std::move(made));
}

Value get(const Site& site, const Mapping& mapping, const Arguments& arguments) {
  const auto bound = bind(site, "get", {"", ""}, 1, arguments);
  if (bound[0]->as<SharedList>() || bound[0]->as<SharedDict>())
    site.refuse(fmt::format("{} is no key", type_of(*bound[0])));
  if (bound[0]->text())
    if (const auto* found = mapping.find(*bound[0]->text())) return *found;
  return bound[1] != nullptr ? *bound[1] : Value{None{}};
}

DictMethod listing(const char* name, Shape shape) {
  return [=](const Site& site, const Mapping& mapping, const Arguments& arguments) {
    bind(site, name, {}, 0, arguments);
    std::vector<Value> items;
    for (const auto& [key, held] : mapping.items) {
      site.step();
      items.push_back(shape == Shape::Values ? held
                      : shape == Shape::Keys ? site.text(key)
                                             : site.list({site.text(key), held}, Shape::Tuple));
    }
    return site.list(std::move(items), shape);
  };
}

const std::map<std::string, TextMethod, std::less<>>& text_methods() {
  const auto starts = [](const std::string& a, const std::string& b) { return a.starts_with(b); };
  const auto ends = [](const std::string& a, const std::string& b) { return a.ends_with(b); };
  static const std::map<std::string, TextMethod, std::less<>> all = {
      {"capitalize", casing("capitalize", Case::Capitalized)},
      {"endswith", affixed("endswith", ends)},
      {"find", find},
      {"join", join},
      {"lower", casing("lower", Case::Lower)},
      {"lstrip", strip("lstrip", true, false)},
      {"removeprefix", without("removeprefix", true)},
      {"removesuffix", without("removesuffix", false)},
      {"replace", replace},
      {"rstrip", strip("rstrip", false, true)},
      {"split", split_text},
      {"splitlines", lines},
      {"startswith", affixed("startswith", starts)},
      {"strip", strip("strip", true, true)},
      {"title", casing("title", Case::Title)},
      {"upper", casing("upper", Case::Upper)},
  };
  return all;
}

const std::map<std::string, DictMethod, std::less<>>& dict_methods() {
  static const std::map<std::string, DictMethod, std::less<>> all = {
      {"get", get},
      {"items", listing("items", Shape::Items)},
      {"keys", listing("keys", Shape::Keys)},
      {"values", listing("values", Shape::Values)},
  };
  return all;
}

}  // namespace

bool is_method(std::string_view name) {
  return text_methods().contains(name) || dict_methods().contains(name);
}

Value method(const Site& site, const std::string& name, const Value& value,
             const Arguments& arguments) {
  site.step();
  if (const auto* undefined = value.as<Undefined>())
    site.refuse(fmt::format("{} is not defined", undefined->what));
  if (const auto* text = value.text())
    if (const auto found = text_methods().find(name); found != text_methods().end())
      return found->second(site, *text, arguments);
  if (const auto* dict = value.as<SharedDict>())
    if (const auto found = dict_methods().find(name); found != dict_methods().end())
      return found->second(site, **dict, arguments);
  site.refuse(fmt::format("{} has no method \"{}\"", type_of(value), name));
}

}  // namespace hone::rl::chat
