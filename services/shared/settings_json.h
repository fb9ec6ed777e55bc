// Hyperparameters as JSON: read into a run's settings, written out, and described as a schema.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "feedback/training/methods.h"
#include "feedback/training/settings.h"

namespace hone::shared {

/// Sets every member of the object `given`; null is "not set" where the setting allows it, and "as
/// preset" elsewhere. Throws Invalid with `pointer`/NAME for an unknown name or a value out of
/// bounds.
void set_all(feedback::Settings& settings, const nlohmann::json& given, const std::string& pointer);

/// Every setting with its value, in the method's order.
nlohmann::ordered_json settings_json(const feedback::Settings& settings);

/// JSON Schema (2020-12) of a method's "hyperparameters": types, bounds, presets, meanings.
nlohmann::ordered_json schema_json(const feedback::Method& method);

}  // namespace hone::shared
