#include "services/shared/settings_json.h"

#include <nlohmann/json.hpp>
#include <type_traits>
#include <variant>

#include "feedback/base/error.h"
#include "services/shared/json.h"

namespace hone::shared {
namespace {

using feedback::Setting;
using feedback::SettingValue;
using nlohmann::ordered_json;

/// The value as settings know them; an array or object becomes a text, which no setting accepts.
SettingValue value_of(const nlohmann::json& json) {
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_integer()) return json.get<std::int64_t>();
  if (json.is_number()) return json.get<double>();
  if (json.is_string()) return json.get<std::string>();
  return json.dump();
}

ordered_json json_of(const SettingValue& value) {
  return std::visit(
      [](const auto& v) -> ordered_json {
        if constexpr (std::is_same_v<std::decay_t<decltype(v)>, std::monostate>)
          return nullptr;
        else
          return v;
      },
      value);
}

ordered_json schema_of(const Setting& s) {
  constexpr const char* kTypes[] = {"boolean", "integer", "number", "string"};
  const char* type = kTypes[static_cast<int>(s.kind)];
  ordered_json out;
  if (s.nullable)
    out["type"] = {type, "null"};
  else
    out["type"] = type;
  if (s.kind == Setting::Kind::Integer || s.kind == Setting::Kind::Number) {
    out["minimum"] = s.lowest;
    out["maximum"] = s.highest;
  }
  if (s.kind == Setting::Kind::Word) out["enum"] = s.words;
  out["default"] = json_of(s.preset);
  if (s.adapter_preset) out["x-default-with-adapter"] = json_of(*s.adapter_preset);
  out["description"] = s.meaning;
  return out;
}

}  // namespace

void set_all(feedback::Settings& settings, const nlohmann::json& given,
             const std::string& pointer) {
  if (!given.is_object()) throw Error(Code::Invalid, "must be an object", pointer);
  for (const auto& [name, value] : given.items()) {
    try {
      if (!value.is_null()) {
        settings.set(name, value_of(value));
      } else if (!settings.has(name)) {
        settings.set(name, std::monostate{});  // refused: there is no such setting
      } else if (std::holds_alternative<std::monostate>(settings.value(name))) {
        continue;
      } else {
        settings.clear(name);
      }
    } catch (const Error& e) {
      throw Error(e.code(), e.detail(), pointer + "/" + pointer_token(name));
    }
  }
}

ordered_json settings_json(const feedback::Settings& settings) {
  auto out = ordered_json::object();
  for (const auto& entry : settings.entries()) out[entry.setting->name] = json_of(entry.value);
  return out;
}

ordered_json schema_json(const feedback::Method& method) {
  auto properties = ordered_json::object();
  for (const auto& setting : method.settings) properties[setting.name] = schema_of(setting);
  return {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
          {"title", method.name},
          {"description", method.what + ": " + method.formula},
          {"type", "object"},
          {"additionalProperties", false},
          {"properties", properties}};
}

}  // namespace hone::shared
