// What the HTTP commands share: the client from the environment, and finding things by a name a
// person would type.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "services/cli/http_client.h"

namespace hone::cli {

/// HONE_URL (else what `make up` wrote into HONE_HOME/address, else 127.0.0.1:8080) and HONE_TOKEN.
HttpClient open_client();

/// A project by id, slug or name. Throws NotFound naming the ones there are.
nlohmann::json find_project(HttpClient& client, const std::string& text);
std::string project_id(HttpClient& client, const std::string& text);
/// The newest version of a critic by name, or the one of an id.
std::string critic_id(HttpClient& client, const std::string& project, const std::string& text);

/// A string member, or an empty string for an absent or null one.
std::string text_of(const nlohmann::json& value, const char* name);
/// The content of a file. Throws NotFound.
std::string read_file(const std::string& path);
/// The same, parsed. Throws Error{Invalid} naming the file.
nlohmann::json read_json_file(const std::string& path);

}  // namespace hone::cli
