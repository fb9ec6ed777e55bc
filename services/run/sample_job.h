// The sample kind of a job: responses to a file of prompts.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>

namespace hone::run {

/// Draws n responses to each prompt and appends them to `out` as they finish, one JSON line each.
/// Started again, it keeps the whole lines that are there and draws the rest: a response depends on
/// (seed, prompt id, index) alone. Returns 0, or 75 when told to stop.
int sample_job(const nlohmann::json& spec, const std::filesystem::path& folder,
               nlohmann::ordered_json& result);

}  // namespace hone::run
