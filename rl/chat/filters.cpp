#include "rl/chat/filters.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <functional>
#include <map>
#include <set>

#include "rl/chat/members.h"
#include "rl/chat/operators.h"
#include "rl/chat/print.h"
#include "rl/chat/text.h"
#include "rl/tokenizer/utf8.h"

namespace hone::rl::chat {
namespace {

using Shape = Sequence::Shape;
using Filter = std::function<Value(const Site&, const Value&, const Arguments&)>;

void want_none(const Site& site, std::string_view name, const Arguments& arguments) {
  bind(site, fmt::format("the filter \"{}\"", name), {}, 0, arguments);
}

bool flag(const Value* value) { return value != nullptr && is_true(*value); }

// ---- an item's part by a path: "role", "function.name", 0

std::vector<Value> path_of(const Site& site, const Value& attribute) {
  std::vector<Value> path;
  const auto* text = attribute.text();
  if (text == nullptr) {
    if (!attribute.as<Int>())
      site.refuse(fmt::format("{} as an attribute is not supported", type_of(attribute)));
    return {attribute};
  }
  for (auto& part : split(site, *text, ".", -1)) {
    const auto& name = *part.text();
    const bool digits = !name.empty() && std::ranges::all_of(name, [](char c) {
      return std::isdigit(static_cast<unsigned char>(c));
    });
    if (digits && name.size() > 9) site.refuse("the number is too large");
    path.push_back(digits ? Value{Int{std::stoi(name)}} : part);
  }
  return path;
}

Value part_of(const Site& site, Value value, const std::vector<Value>& path,
              const Value* otherwise) {
  for (const auto& key : path) {
    // A filter reads it when it is walked, we when it is made: something may be set between.
    if (value.as<Namespace*>())
      site.refuse("the parts of a namespace in a filter are not supported");
    value = item(site, value, key);
    if (otherwise != nullptr && !otherwise->as<None>() && value.as<Undefined>()) value = *otherwise;
  }
  return value;
}

// ---- text

Value trim(const Site& site, const Value& value, const Arguments& arguments) {
  const auto bound = bind(site, "the filter \"trim\"", {"chars"}, 0, arguments);
  const auto text = printed(site, value);
  std::optional<std::string_view> chars;
  if (bound[0] != nullptr && !bound[0]->as<None>()) {
    if (bound[0]->text() == nullptr) site.refuse("the filter \"trim\" wants a string");
    chars = *bound[0]->text();
    if (chars->size() > kCharsMax) site.refuse("too many characters to trim");
  }
  return site.text(std::string(stripped(text, chars, true, true)));
}

Value replace(const Site& site, const Value& value, const Arguments& arguments) {
  const auto bound = bind(site, "the filter \"replace\"", {"old", "new", "count"}, 2, arguments);
  const bool all = bound[2] == nullptr || bound[2]->as<None>();
  return site.text(replaced(site, printed(site, value), printed(site, *bound[0]),
                            printed(site, *bound[1]), all ? -1 : whole(site, *bound[2])));
}

Filter casing(const char* name, Case which) {
  return [name, which](const Site& site, const Value& value, const Arguments& arguments) {
    want_none(site, name, arguments);
    return site.text(cased(site, printed(site, value), which));
  };
}

Value as_text(const Site& site, const Value& value, const Arguments& arguments) {
  want_none(site, "string", arguments);
  return site.text(printed(site, value));
}

// ---- numbers

// int(text), or the default where there is nothing of a number in it.
Value read_integer(const Site& site, const std::string& whole_text, const Value& otherwise) {
  const auto text = stripped(whole_text, std::nullopt, true, true);
  const auto digits = text.substr(!text.empty() && (text[0] == '-' || text[0] == '+') ? 1 : 0);
  const auto is_digit = [](char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; };
  if (!digits.empty() && std::ranges::all_of(digits, is_digit)) {
    Int made = 0;
    const auto* begin = text.data() + (text[0] == '+' ? 1 : 0);
    if (std::from_chars(begin, text.data() + text.size(), made).ec != std::errc{})
      site.refuse("the integer is too large");
    return {made};
  }
  if (std::ranges::any_of(text, [&](char c) { return is_digit(c) || (c & 0x80) != 0; }))
    site.refuse(
        fmt::format("\"{}\" as an integer is not supported", lossy_utf8(text.substr(0, 40))));
  return otherwise;
}

Value to_integer(const Site& site, const Value& value, const Arguments& arguments) {
  const auto bound = bind(site, "the filter \"int\"", {"default"}, 0, arguments);
  const Value otherwise = bound[0] != nullptr ? *bound[0] : Value{Int{0}};
  Int store = 0;
  if (const auto* i = integer(value, store)) return {*i};
  if (const auto* f = value.as<double>()) {
    if (!(std::abs(*f) < 1e15)) site.refuse("a float this large as an integer is not supported");
    return {static_cast<Int>(*f)};
  }
  if (const auto* s = value.text()) return read_integer(site, *s, otherwise);
  if (value.as<Undefined>()) site.refuse("an undefined value as an integer");
  if (value.as<None>() || value.as<SharedList>() || value.as<SharedDict>()) return otherwise;
  site.refuse(fmt::format("{} as an integer is not supported", type_of(value)));
}

// ---- anything

Value or_default(const Site& site, const Value& value, const Arguments& arguments) {
  const auto bound =
      bind(site, "the filter \"default\"", {"default_value", "boolean"}, 0, arguments);
  const bool absent = value.as<Undefined>() || (flag(bound[1]) && !is_true(value));
  if (!absent) return value;
  return bound[0] != nullptr ? *bound[0] : site.text("");
}

Value json(const Site& site, const Value& value, const Arguments& arguments) {
  const auto bound = bind(site, "the filter \"tojson\"",
                          {"ensure_ascii", "indent", "separators", "sort_keys"}, 0, arguments);
  JsonStyle style;
  style.ascii = flag(bound[0]);
  style.sorted = flag(bound[3]);
  if (bound[1] != nullptr && !bound[1]->as<None>()) {
    if (const auto* text = bound[1]->text())
      style.indent = *text;
    else
      style.indent = repeated(site, " ", whole(site, *bound[1]));
    if (style.indent->size() > 64) site.refuse("the indent is too wide");
    style.between = std::string(1, ',');  // as json.dumps has it with an indent
  }
  if (bound[2] != nullptr && !bound[2]->as<None>()) {
    const auto marks = walk(site, *bound[2]);
    if (marks.size() != 2 || marks[0].text() == nullptr || marks[1].text() == nullptr)
      site.refuse("the separators of tojson are two strings");
    style.between = *marks[0].text();
    style.after_key = *marks[1].text();
  }
  return site.text(to_json(site, value, style));
}

// ---- lists

Value length(const Site& site, const Value& value, const Arguments& arguments) {
  want_none(site, "length", arguments);
  if (value.as<Undefined>()) return {Int{0}};
  if (const auto* s = value.text()) {
    site.bytes(s->size());
    return {characters(*s)};
  }
  if (const auto* l = value.as<SharedList>()) return {static_cast<Int>((*l)->items.size())};
  if (const auto* d = value.as<SharedDict>()) return {static_cast<Int>((*d)->items.size())};
  site.refuse(fmt::format("{} has no length", type_of(value)));
}

Value to_list(const Site& site, const Value& value, const Arguments& arguments) {
  want_none(site, "list", arguments);
  return site.list(walk(site, value));
}

Value first(const Site& site, const Value& value, const Arguments& arguments) {
  want_none(site, "first", arguments);
  const auto items = walk(site, value);
  return items.empty() ? Value{Undefined{"the first item of none"}} : items.front();
}

Value last(const Site& site, const Value& value, const Arguments& arguments) {
  want_none(site, "last", arguments);
  if (value.as<SharedStream>()) site.refuse("the last item of an iterator");
  const auto items = walk(site, value);
  return items.empty() ? Value{Undefined{"the last item of none"}} : items.back();
}

Value reverse(const Site& site, const Value& value, const Arguments& arguments) {
  want_none(site, "reverse", arguments);
  if (value.text()) {
    const Value back{Int{-1}};
    return slice(site, value, nullptr, nullptr, &back);
  }
  const bool plain =
      value.as<SharedStream>();  // Python makes a list of what it cannot walk backwards
  auto items = walk(site, value);
  std::ranges::reverse(items);
  return plain ? site.list(std::move(items)) : site.stream(std::move(items));
}

Value join(const Site& site, const Value& value, const Arguments& arguments) {
  const auto bound = bind(site, "the filter \"join\"", {"d", "attribute"}, 0, arguments);
  std::string between;
  if (bound[0] != nullptr) between = printed(site, *bound[0]);
  std::vector<Value> path;
  if (bound[1] != nullptr && !bound[1]->as<None>()) path = path_of(site, *bound[1]);
  std::string made;
  bool starting = true;
  for (const auto& held : walk(site, value)) {
    site.step();
    if (!starting) made += between;
    starting = false;
    made += printed(site, part_of(site, held, path, nullptr));
    if (made.size() > kTextMax) site.refuse(fmt::format("a string grows past {} bytes", kTextMax));
  }
  return site.text(std::move(made));
}

Value pairs(const Site& site, const Value& value, const Arguments& arguments) {
  want_none(site, "items", arguments);
  std::vector<Value> items;
  if (const auto* dict = value.as<SharedDict>()) {
    for (const auto& [key, held] : (*dict)->items) {
      site.step();
      items.push_back(site.list({site.text(key), held}, Shape::Tuple));
    }
  } else if (!value.as<Undefined>()) {
    site.refuse(fmt::format("{} has no items", type_of(value)));
  }
  return site.stream(std::move(items));
}

Value map_by_filter(const Site& site, const Value& value, Arguments arguments) {
  if (arguments.given.empty() || arguments.given[0].text() == nullptr)
    site.refuse("the filter \"map\" wants the name of a filter, or an attribute");
  const auto name = *arguments.given[0].text();
  arguments.given.erase(arguments.given.begin());
  if (name == "map" || name == "select" || name == "reject" || name == "selectattr" ||
      name == "rejectattr")
    site.refuse(fmt::format("the filter \"map\" with \"{}\" is not supported", name));
  std::vector<Value> made;
  for (const auto& held : walk(site, value)) made.push_back(filtered(site, name, held, arguments));
  return site.stream(std::move(made));
}

Value map(const Site& site, const Value& value, const Arguments& arguments) {
  if (!is_true(value)) return site.stream({});
  const bool by_attribute =
      arguments.given.empty() && std::ranges::any_of(arguments.named, [](const auto& argument) {
        return argument.first == "attribute";
      });
  if (!by_attribute) return map_by_filter(site, value, arguments);
  const auto bound = bind(site, "the filter \"map\"", {"attribute", "default"}, 1, arguments);
  const auto path = path_of(site, *bound[0]);
  std::vector<Value> made;
  for (const auto& held : walk(site, value)) {
    site.step();
    made.push_back(part_of(site, held, path, bound[1]));
  }
  return site.stream(std::move(made));
}

Filter selecting(bool by_attribute, bool wanted) {
  return [=](const Site& site, const Value& value, Arguments arguments) {
    std::vector<Value> made;
    if (!is_true(value)) return site.stream({});
    std::vector<Value> path;
    auto& given = arguments.given;
    if (by_attribute) {
      if (given.empty()) site.refuse("a filter by attribute wants the attribute's name");
      path = path_of(site, given[0]);
      given.erase(given.begin());
    }
    std::string name;
    if (!given.empty()) {
      if (given[0].text() == nullptr) site.refuse("a test is named by a string");
      name = *given[0].text();
      given.erase(given.begin());
    } else if (!arguments.named.empty()) {
      site.refuse("a named argument without a test is not supported");
    }
    for (auto& held : walk(site, value)) {
      site.step();
      const auto part = part_of(site, held, path, nullptr);
      if ((name.empty() ? is_true(part) : tested(site, name, part, arguments)) == wanted)
        made.push_back(std::move(held));
    }
    return site.stream(std::move(made));
  };
}

// What sort and unique look at: without regard to case unless asked for.
Value sorting_key(const Site& site, const Value& value, const std::vector<Value>& path,
                  bool with_case) {
  auto key = part_of(site, value, path, nullptr);
  if (key.text() && !with_case) key = site.text(cased(site, *key.text(), Case::Lower));
  return key;
}

std::vector<Value> key_path(const Site& site, const Value* attribute) {
  if (attribute == nullptr || attribute->as<None>()) return {};
  if (attribute->text() && attribute->text()->find(',') != std::string::npos)
    site.refuse("sorting by several attributes is not supported");
  return path_of(site, *attribute);
}

Value sort(const Site& site, const Value& value, const Arguments& arguments) {
  const auto bound =
      bind(site, "the filter \"sort\"", {"reverse", "case_sensitive", "attribute"}, 0, arguments);
  const auto path = key_path(site, bound[2]);
  std::vector<std::pair<Value, Value>> keyed;
  for (const auto& held : walk(site, value))
    keyed.emplace_back(sorting_key(site, held, path, flag(bound[1])), held);
  const bool down = flag(bound[0]);
  // Equal ones keep their order, in reverse too.
  std::stable_sort(keyed.begin(), keyed.end(), [&](const auto& a, const auto& b) {
    site.step();
    return down ? ordered(site, ">", a.first, b.first) : ordered(site, "<", a.first, b.first);
  });
  std::vector<Value> made;
  for (auto& [key, held] : keyed) made.push_back(std::move(held));
  return site.list(std::move(made));
}

Value unique(const Site& site, const Value& value, const Arguments& arguments) {
  const auto bound =
      bind(site, "the filter \"unique\"", {"case_sensitive", "attribute"}, 0, arguments);
  const auto path = key_path(site, bound[1]);
  std::set<std::string> texts;
  std::set<Int> integers;
  bool none = false;
  std::vector<Value> made;
  for (const auto& held : walk(site, value)) {
    site.step();
    const auto key = sorting_key(site, held, path, flag(bound[0]));
    Int store = 0;
    bool fresh = false;
    if (key.text())
      fresh = texts.insert(*key.text()).second;
    else if (const auto* i = integer(key, store))
      fresh = integers.insert(*i).second;
    else if (key.as<None>())
      fresh = !std::exchange(none, true);
    else
      site.refuse(fmt::format("the filter \"unique\" over {} is not supported", type_of(key)));
    if (fresh) made.push_back(held);
  }
  return site.stream(std::move(made));
}

const std::map<std::string, Filter, std::less<>>& filters() {
  static const std::map<std::string, Filter, std::less<>> all = {
      {"capitalize", casing("capitalize", Case::Capitalized)},
      {"count", length},
      {"d", or_default},
      {"default", or_default},
      {"first", first},
      {"int", to_integer},
      {"items", pairs},
      {"join", join},
      {"last", last},
      {"length", length},
      {"list", to_list},
      {"lower", casing("lower", Case::Lower)},
      {"map", map},
      {"reject", selecting(false, false)},
      {"rejectattr", selecting(true, false)},
      {"replace", replace},
      {"reverse", reverse},
      {"select", selecting(false, true)},
      {"selectattr", selecting(true, true)},
      {"sort", sort},
      {"string", as_text},
      {"title", casing("title", Case::TitleFilter)},
      {"tojson", json},
      {"trim", trim},
      {"unique", unique},
      {"upper", casing("upper", Case::Upper)},
  };
  return all;
}

}  // namespace

bool is_filter(std::string_view name) { return filters().contains(name); }

Value filtered(const Site& site, const std::string& name, const Value& value,
               const Arguments& arguments) {
  site.step();
  const auto found = filters().find(name);
  if (found == filters().end())
    site.refuse(fmt::format("the filter \"{}\" is not supported", name));
  return found->second(site, value, arguments);
}

}  // namespace hone::rl::chat
