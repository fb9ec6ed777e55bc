// A training spec as JSON, and back.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "rl/train/spec.h"

namespace hone::run {

/// Reads a spec; relative paths are taken from `folder`, and `out` defaults to folder/out. Unknown
/// keys are refused by name, every number has its bounds.
rl::TrainSpec parse_train_spec(const nlohmann::json& json, const std::filesystem::path& folder);

/// Puts what the teacher and the reward models are, by hash, in the place of where they lie, so
/// that a run is not resumed with others. Throws what rl::open_base throws.
void identify_models(rl::TrainSpec& spec);

/// Every field with its value, for out/spec.resolved.json.
std::string resolved_json(const rl::TrainSpec& spec);

}  // namespace hone::run
