// What a training spec may hold, for people who look a method up and for programs that fill a spec
// in or check one before it is sent.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "feedback/training/methods.h"

namespace hone::run {

/// Every method: its name, what it is, what it minimises; lines of at most `width` columns.
std::string methods_table(std::size_t width);

/// JSON Schema (2020-12) of a whole spec of this method: what parse_train_spec takes, with bounds,
/// defaults and meanings. A member that may be left out may also be null. Lengths of texts are in
/// bytes there and in characters here.
nlohmann::ordered_json train_schema(const feedback::Method& method);

}  // namespace hone::run
