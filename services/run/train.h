// hone-run train and the train kind of a job.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>

namespace hone::run {

/// Carries out a training spec; events go to standard output. Returns 0, or 75 when told to stop,
/// and sets `result` to what result.json is to say.
int train(const nlohmann::json& spec, const std::filesystem::path& folder,
          nlohmann::ordered_json& result);

}  // namespace hone::run
