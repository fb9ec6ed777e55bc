// Fields: a JSON object taken apart by name, each member under its own bounds.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "feedback/base/error.h"
#include "services/shared/json.h"

namespace hone::shared {
namespace {

// Bounds are usually round numbers: 1, 0.5, 1e-05.
std::string range(double min, double max) { return fmt::format("between {} and {}", min, max); }

}  // namespace

Fields::Fields(const nlohmann::json& object, std::string pointer, std::int64_t line)
    : json_(&object), pointer_(std::move(pointer)), line_(line) {
  if (!object.is_object()) throw Error(Code::Invalid, "an object is wanted here", pointer_, line_);
}

std::string Fields::at(std::string_view name) const { return pointer_ + "/" + pointer_token(name); }

void Fields::refuse(std::string_view name, const std::string& detail) const {
  throw Error(Code::Invalid, fmt::format("{}: {}", name, detail), at(name), line_);
}

const nlohmann::json* Fields::find_value(std::string_view name) {
  asked_.emplace(name);
  const auto found = json_->find(std::string(name));
  if (found == json_->end() || found->is_null()) return nullptr;
  return &*found;
}

const nlohmann::json& Fields::value(std::string_view name) {
  const auto* found = find_value(name);
  if (!found) refuse(name, "is required");
  return *found;
}

bool Fields::has(std::string_view name) { return find_value(name) != nullptr; }

std::optional<std::string> Fields::find_text(std::string_view name, Length length) {
  const auto* found = find_value(name);
  if (!found) return std::nullopt;
  if (!found->is_string()) refuse(name, "must be a text");
  const auto& text = found->get_ref<const std::string&>();
  if (text.size() < length.min)
    refuse(name, length.min == 1 ? "must not be empty"
                                 : fmt::format("is shorter than {} bytes", length.min));
  if (text.size() > length.max) refuse(name, fmt::format("is longer than {} bytes", length.max));
  return text;
}

std::optional<std::int64_t> Fields::find_integer(std::string_view name, std::int64_t min,
                                                 std::int64_t max) {
  const auto* found = find_value(name);
  if (!found) return std::nullopt;
  if (!found->is_number_integer()) refuse(name, "must be an integer");
  const auto number = found->get<std::int64_t>();
  if (number < min || number > max)
    refuse(name, fmt::format("must be between {} and {}", min, max));
  return number;
}

std::optional<double> Fields::find_number(std::string_view name, double min, double max) {
  const auto* found = find_value(name);
  if (!found) return std::nullopt;
  if (!found->is_number()) refuse(name, "must be a number");
  const auto number = found->get<double>();
  if (!std::isfinite(number) || number < min || number > max)
    refuse(name, "must be " + range(min, max));
  return number;
}

std::optional<bool> Fields::find_boolean(std::string_view name) {
  const auto* found = find_value(name);
  if (!found) return std::nullopt;
  if (!found->is_boolean()) refuse(name, "must be true or false");
  return found->get<bool>();
}

std::optional<std::string> Fields::find_word(std::string_view name,
                                             std::initializer_list<std::string_view> words) {
  const auto* found = find_value(name);
  if (!found) return std::nullopt;
  if (found->is_string()) {
    const auto& text = found->get_ref<const std::string&>();
    if (std::find(words.begin(), words.end(), text) != words.end()) return text;
  }
  refuse(name, fmt::format("must be one of {}", fmt::join(words, ", ")));
}

std::optional<std::string> Fields::find_uuid(std::string_view name) {
  auto text = find_text(name, {0, 1000});
  if (!text) return std::nullopt;
  if (!is_uuid(*text)) refuse(name, "must be an id (a UUID)");
  std::transform(text->begin(), text->end(), text->begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return text;
}

std::string Fields::text(std::string_view name, Length length) {
  value(name);
  return *find_text(name, length);
}
std::int64_t Fields::integer(std::string_view name, std::int64_t min, std::int64_t max) {
  value(name);
  return *find_integer(name, min, max);
}
double Fields::number(std::string_view name, double min, double max) {
  value(name);
  return *find_number(name, min, max);
}
bool Fields::boolean(std::string_view name) {
  value(name);
  return *find_boolean(name);
}
std::string Fields::word(std::string_view name, std::initializer_list<std::string_view> words) {
  value(name);
  return *find_word(name, words);
}
std::string Fields::uuid(std::string_view name) {
  value(name);
  return *find_uuid(name);
}

const nlohmann::json& Fields::list(std::string_view name, std::size_t min_items,
                                   std::size_t max_items) {
  const auto& found = value(name);
  if (!found.is_array()) refuse(name, "must be a list");
  if (found.size() < min_items || found.size() > max_items)
    refuse(name, fmt::format("must hold {} to {} items", min_items, max_items));
  return found;
}

std::vector<std::string> Fields::texts(std::string_view name, Length each, std::size_t max_items) {
  std::vector<std::string> out;
  for (const auto& item : list(name, 0, max_items)) {
    if (!item.is_string() || item.get_ref<const std::string&>().size() < each.min ||
        item.get_ref<const std::string&>().size() > each.max)
      refuse(name, fmt::format("each item must be a text of {} to {} bytes", each.min, each.max));
    out.push_back(item.get<std::string>());
  }
  return out;
}

std::optional<Fields> Fields::find_object(std::string_view name) {
  const auto* found = find_value(name);
  if (!found) return std::nullopt;
  return Fields(*found, at(name), line_);
}

Fields Fields::object(std::string_view name) { return Fields(value(name), at(name), line_); }

void Fields::done() const {
  for (const auto& [name, unused] : json_->items())
    if (!asked_.contains(name)) refuse(name, "is not known here");
}

}  // namespace hone::shared
