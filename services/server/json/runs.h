// Runs as JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "storage/repo/runs.h"

namespace hone::server {

nlohmann::json to_json(const storage::Run& run, const std::vector<storage::Attempt>& attempts);

}  // namespace hone::server
