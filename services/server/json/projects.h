// Projects, prompts and bases as JSON, and the bodies that make and change projects.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "storage/repo/bases.h"
#include "storage/repo/projects.h"
#include "storage/repo/prompts.h"
#include "storage/repo/queue.h"

namespace hone::server {

/// {name, slug?, guideline?, settings?}; without a slug one is made of the name. Throws Invalid.
storage::NewProject parse_new_project(const nlohmann::json& body);
/// {name?, guideline?, settings?}; throws Invalid.
storage::ProjectPatch parse_project_patch(const nlohmann::json& body);

nlohmann::json to_json(const storage::Project& project);
nlohmann::json to_json(const storage::Prompt& prompt);
nlohmann::json to_json(const storage::Base& base);
nlohmann::json to_json(const storage::Progress& progress);

}  // namespace hone::server
