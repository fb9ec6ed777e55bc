// The registry as JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "storage/repo/models.h"

namespace hone::server {

/// In lists: `versions` is their number.
nlohmann::json to_json(const storage::Model& model);
/// `files` only where the version was read with them.
nlohmann::json to_json(const storage::Version& version);

}  // namespace hone::server
