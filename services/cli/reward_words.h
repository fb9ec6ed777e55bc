// --reward, --gold and --teacher of `hone run start`: names that a person types, as POST /runs
// takes them.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "services/cli/http_client.h"

namespace hone::cli {

/// "critic=NAME|ID", "model=NAME[/VERSION]", "length=TOKENS", "regex=PATTERN",
/// "exact_answer[=strict|lenient]", or a JSON object, which goes as it is. Throws Invalid or
/// NotFound.
nlohmann::json reward_of(HttpClient& client, const std::string& project, const std::string& word);

/// A version's id by "NAME" (the latest) or "NAME/VERSION". Throws NotFound.
std::string version_id(HttpClient& client, const std::string& word);

/// What a version measured on held-out rows, for people: a name and a value a row.
std::vector<std::vector<std::string>> evaluation_rows(const nlohmann::json& evaluation);

}  // namespace hone::cli
