#include "feedback/training/settings.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <stdexcept>

#include "feedback/base/error.h"

namespace hone::feedback {
namespace {

std::string text_of(double value) {
  char text[40];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  return {text, end};
}

std::string bounds_of(const Setting& s) {
  const std::string null = s.nullable ? ", or null" : "";
  switch (s.kind) {
    case Setting::Kind::Flag:
      return "true or false" + null;
    case Setting::Kind::Word: {
      std::string all;
      for (const auto& word : s.words) all += (all.empty() ? "" : ", ") + word;
      return "one of " + all + null;
    }
    case Setting::Kind::Integer:
      return "a whole number from " + text_of(s.lowest) + " to " + text_of(s.highest) + null;
    case Setting::Kind::Number:
      return "a number from " + text_of(s.lowest) + " to " + text_of(s.highest) + null;
  }
  return "?";
}

bool within(const Setting& s, double value) {
  return std::isfinite(value) && value >= s.lowest && value <= s.highest;
}

/// The value as the setting keeps it; nullopt when it is none of its values.
std::optional<SettingValue> accepted(const Setting& s, const SettingValue& value) {
  if (std::holds_alternative<std::monostate>(value))
    return s.nullable ? std::optional(value) : std::nullopt;
  const auto* whole = std::get_if<std::int64_t>(&value);
  const auto* real = std::get_if<double>(&value);
  switch (s.kind) {
    case Setting::Kind::Flag:
      return std::holds_alternative<bool>(value) ? std::optional(value) : std::nullopt;
    case Setting::Kind::Word: {
      const auto* word = std::get_if<std::string>(&value);
      const bool known = word && std::find(s.words.begin(), s.words.end(), *word) != s.words.end();
      return known ? std::optional(value) : std::nullopt;
    }
    case Setting::Kind::Integer: {
      const double number = whole ? static_cast<double>(*whole) : real ? *real : NAN;
      if (!within(s, number) || number != std::floor(number)) return std::nullopt;
      return SettingValue(whole ? *whole : static_cast<std::int64_t>(number));
    }
    case Setting::Kind::Number: {
      const double number = whole ? static_cast<double>(*whole) : real ? *real : NAN;
      return within(s, number) ? std::optional<SettingValue>(number) : std::nullopt;
    }
  }
  return std::nullopt;
}

}  // namespace

Settings::Settings(const std::vector<Setting>& known, bool adapter) {
  for (const auto& setting : known) {
    const auto& preset =
        adapter && setting.adapter_preset ? *setting.adapter_preset : setting.preset;
    entries_.push_back({&setting, preset, preset});
  }
}

Settings::Entry* Settings::find(std::string_view name) {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& e) { return e.setting->name == name; });
  return found == entries_.end() ? nullptr : &*found;
}

const Settings::Entry& Settings::get(std::string_view name) const {
  if (const auto* entry = const_cast<Settings*>(this)->find(name)) return *entry;
  throw std::logic_error("the method has no setting " + std::string(name));
}

void Settings::set(std::string_view name, const SettingValue& value) {
  const std::string pointer = "hyperparameters." + std::string(name);
  auto* entry = find(name);
  if (!entry) {
    std::string all;
    for (const auto& e : entries_) all += (all.empty() ? "" : ", ") + e.setting->name;
    throw Error(Code::Invalid, pointer + " is not a setting of this method; it has " + all,
                pointer);
  }
  auto kept = accepted(*entry->setting, value);
  if (!kept)
    throw Error(Code::Invalid, pointer + " must be " + bounds_of(*entry->setting), pointer);
  entry->value = std::move(*kept);
}

void Settings::clear(std::string_view name) {
  auto* entry = find(name);
  if (!entry) throw std::logic_error("the method has no setting " + std::string(name));
  entry->value = entry->setting->nullable ? SettingValue() : entry->preset;
}

bool Settings::has(std::string_view name) const {
  return const_cast<Settings*>(this)->find(name) != nullptr;
}
const SettingValue& Settings::value(std::string_view name) const { return get(name).value; }
double Settings::number(std::string_view name) const { return std::get<double>(value(name)); }
std::int64_t Settings::integer(std::string_view name) const {
  return std::get<std::int64_t>(value(name));
}
bool Settings::flag(std::string_view name) const { return std::get<bool>(value(name)); }
const std::string& Settings::word(std::string_view name) const {
  return std::get<std::string>(value(name));
}
std::optional<double> Settings::find_number(std::string_view name) const {
  const auto* number = std::get_if<double>(&value(name));
  return number ? std::optional(*number) : std::nullopt;
}
std::optional<std::int64_t> Settings::find_integer(std::string_view name) const {
  const auto* number = std::get_if<std::int64_t>(&value(name));
  return number ? std::optional(*number) : std::nullopt;
}

}  // namespace hone::feedback
