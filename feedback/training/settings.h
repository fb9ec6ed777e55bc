// Hyperparameters by name: what each may be, what it is when nobody says, and the values of one
// run.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace hone::feedback {

/// Null stands for "not set", where the setting allows it.
using SettingValue = std::variant<std::monostate, bool, std::int64_t, double, std::string>;

/// One hyperparameter: its type is that of `preset`, or Number for a preset of null.
struct Setting {
  enum class Kind { Flag, Integer, Number, Word };

  std::string name;
  Kind kind = Kind::Number;
  SettingValue preset;  ///< when nobody says
  std::optional<SettingValue> adapter_preset =
      {};                               ///< the same with a LoRA adapter, where that differs
  double lowest = 0, highest = 0;       ///< of numbers, both included
  std::vector<std::string> words = {};  ///< of Word
  bool nullable = false;
  /// False for what decides memory or time and not the result.
  bool mathematics = true;
  std::string meaning;  ///< one sentence, with the unit
};

/// The values of one run, in the order of its method's settings.
class Settings {
 public:
  /// All presets.
  Settings(const std::vector<Setting>& known, bool adapter);
  Settings() = default;

  /// Throws Invalid with "hyperparameters.NAME" for an unknown name, another type, or a value out
  /// of its bounds.
  void set(std::string_view name, const SettingValue& value);
  /// Back to null where the setting allows it, to its preset elsewhere.
  void clear(std::string_view name);
  bool has(std::string_view name) const;
  const SettingValue& value(std::string_view name) const;

  /// The value of a setting that the method has; std::logic_error otherwise.
  double number(std::string_view name) const;
  std::optional<double> find_number(std::string_view name) const;
  std::int64_t integer(std::string_view name) const;
  std::optional<std::int64_t> find_integer(std::string_view name) const;
  bool flag(std::string_view name) const;
  const std::string& word(std::string_view name) const;

  struct Entry {
    const Setting* setting;
    SettingValue value, preset;
  };
  const std::vector<Entry>& entries() const { return entries_; }

 private:
  Entry* find(std::string_view name);
  const Entry& get(std::string_view name) const;
  std::vector<Entry> entries_;
};

}  // namespace hone::feedback
