#include "rl/chat/members.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <span>
#include <string_view>

#include "rl/chat/text.h"
#include "rl/tokenizer/utf8.h"

namespace hone::rl::chat {
namespace {

using Shape = Sequence::Shape;
using Names = std::span<const std::string_view>;

constexpr std::array<std::string_view, 47> kTextNames = {
    "capitalize",   "casefold",    "center",    "count",      "encode",       "endswith",
    "expandtabs",   "find",        "format",    "format_map", "index",        "isalnum",
    "isalpha",      "isascii",     "isdecimal", "isdigit",    "isidentifier", "islower",
    "isnumeric",    "isprintable", "isspace",   "istitle",    "isupper",      "join",
    "ljust",        "lower",       "lstrip",    "maketrans",  "partition",    "removeprefix",
    "removesuffix", "replace",     "rfind",     "rindex",     "rjust",        "rpartition",
    "rsplit",       "rstrip",      "split",     "splitlines", "startswith",   "strip",
    "swapcase",     "title",       "translate", "upper",      "zfill"};
constexpr std::array<std::string_view, 13> kNumberNames = {
    "as_integer_ratio", "bit_count", "bit_length", "conjugate", "denominator",
    "from_bytes",       "fromhex",   "hex",        "imag",      "is_integer",
    "numerator",        "real",      "to_bytes"};
constexpr std::array<std::string_view, 16> kListNames = {
    "append", "clear",  "copy",    "count", "extend", "index", "insert", "isdisjoint",
    "pop",    "remove", "reverse", "sort",  "start",  "stop",  "step",   "mapping"};
constexpr std::array<std::string_view, 11> kDictNames = {
    "clear", "copy",    "fromkeys",   "get",    "items", "keys",
    "pop",   "popitem", "setdefault", "update", "values"};

Names python_names(const Value& value) {
  if (value.text()) return kTextNames;
  if (value.as<Int>() || value.as<bool>() || value.as<double>()) return kNumberNames;
  if (value.as<SharedList>()) return kListNames;
  if (value.as<SharedDict>()) return kDictNames;
  return {};
}

void refuse_python_name(const Site& site, const Value& value, const std::string& name) {
  if (std::ranges::find(python_names(value), name) != python_names(value).end())
    site.refuse(fmt::format("\"{}\" of {}, not called, is not supported", name, type_of(value)));
  if (name.starts_with("__")) site.refuse(fmt::format("the name \"{}\" is not supported", name));
  if (value.as<Function>() || value.as<const Statement*>() || value.as<SharedStream>())
    site.refuse(fmt::format("\"{}\" of {} is not supported", name, type_of(value)));
}

void refuse_undefined(const Site& site, const Value& value) {
  if (const auto* undefined = value.as<Undefined>())
    site.refuse(fmt::format("{} is not defined", undefined->what));
}

Value missing(const Value& value, const std::string& name) {
  return {Undefined{fmt::format("\"{}\" of {}", name, type_of(value))}};
}

struct Bounds {
  Int from;
  Int by;
  Int count;
};

// PySlice_AdjustIndices.
Bounds bounds(const Site& site, Int size, const Value* from, const Value* to, const Value* by) {
  const auto given = [](const Value* bound) { return bound != nullptr && !bound->as<None>(); };
  const Int step =
      given(by) ? std::max(whole(site, *by), -std::numeric_limits<Int>::max()) : Int{1};
  if (step == 0) site.refuse("a slice with a step of zero");
  const Int least = step < 0 ? -1 : 0;
  const Int most = step < 0 ? size - 1 : size;
  const auto placed = [&](const Value* bound, Int absent) {
    if (!given(bound)) return absent;
    const auto at = whole(site, *bound);
    return std::clamp(at < 0 ? at + size : at, least, most);
  };
  const Int first = placed(from, step < 0 ? most : least);
  const Int end = placed(to, step < 0 ? least : most);
  Int count = 0;
  if (step < 0 && end < first) count = (first - end - 1) / -step + 1;
  if (step > 0 && first < end) count = (end - first - 1) / step + 1;
  return {first, step, count};
}

std::string sliced_text(const Site& site, const std::string& text, const Value* from,
                        const Value* to, const Value* by) {
  site.bytes(text.size());
  const auto [first, step, count] = bounds(site, characters(text), from, to, by);
  site.step(static_cast<std::size_t>(step == 1 ? 0 : count));
  std::vector<std::size_t> starts;
  if (step != 1) site.bytes(text.size() * sizeof(std::size_t));
  std::string made;
  Int index = 0;
  for (std::size_t at = 0; at < text.size(); ++index) {
    const auto size = code_point_at(text, at).size;
    if (step != 1)
      starts.push_back(at);
    else if (index >= first && index < first + count)
      made.append(text, at, size);
    at += size;
  }
  for (Int i = 0; step != 1 && i < count; ++i) {
    const auto at = starts[static_cast<std::size_t>(first + i * step)];
    made.append(text, at, code_point_at(text, at).size);
  }
  return made;
}

Value character(const Site& site, const std::string& text, Int index) {
  site.bytes(text.size());
  const auto size = characters(text);
  const auto wanted = index < 0 ? index + size : index;
  if (wanted < 0 || wanted >= size)
    return {Undefined{fmt::format("character {} of a string of {}", index, size)}};
  std::size_t at = 0;
  for (Int i = 0; i < wanted; ++i) at += code_point_at(text, at).size;
  return site.text(text.substr(at, code_point_at(text, at).size));
}

}  // namespace

Value attribute(const Site& site, const Value& value, const std::string& name) {
  refuse_undefined(site, value);
  if (const auto* space = value.as<Namespace*>()) {
    const auto* found = (*space)->attributes.find(name);
    return found != nullptr ? *found : missing(value, name);
  }
  refuse_python_name(site, value, name);
  if (const auto* dict = value.as<SharedDict>())
    if (const auto* found = (*dict)->find(name)) return *found;
  return missing(value, name);
}

Value item(const Site& site, const Value& value, const Value& key) {
  refuse_undefined(site, value);
  if (const auto* name = key.text()) {
    if (const auto* dict = value.as<SharedDict>())
      if (const auto* found = (*dict)->find(*name)) return *found;
    return attribute(site, value, *name);
  }
  Int store = 0;
  const auto* index = integer(key, store);
  if (index == nullptr && !key.as<None>() && !key.as<Undefined>() && !key.as<double>())
    site.refuse(fmt::format("{} as a key is not supported", type_of(key)));
  if (index != nullptr) {
    if (const auto* text = value.text()) return character(site, *text, *index);
    if (const auto* list = value.as<SharedList>();
        list != nullptr && (*list)->shape <= Shape::Range) {
      const auto size = static_cast<Int>((*list)->items.size());
      const auto at = *index < 0 ? *index + size : *index;
      if (at >= 0 && at < size) return (*list)->items[static_cast<std::size_t>(at)];
      return {Undefined{fmt::format("element {} of {} of {}", *index, type_of(value), size)}};
    }
  }
  // Python raises, and the sandbox makes an undefined value of that.
  return {Undefined{fmt::format("an element of {}", type_of(value))}};
}

Value slice(const Site& site, const Value& value, const Value* from, const Value* to,
            const Value* by) {
  refuse_undefined(site, value);
  if (const auto* text = value.text()) return site.text(sliced_text(site, *text, from, to, by));
  const auto* list = value.as<SharedList>();
  if (list == nullptr || (*list)->shape > Shape::Range)
    site.refuse(fmt::format("a slice of {} is not supported", type_of(value)));
  const auto& items = (*list)->items;
  const auto [first, step, count] = bounds(site, static_cast<Int>(items.size()), from, to, by);
  std::vector<Value> made;
  for (Int i = 0; i < count; ++i) made.push_back(items[static_cast<std::size_t>(first + i * step)]);
  return site.list(std::move(made), (*list)->shape);
}

}  // namespace hone::rl::chat
