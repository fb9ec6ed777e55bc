#include "services/cli/remote.h"

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "feedback/base/error.h"
#include "services/shared/config.h"
#include "services/shared/json.h"

namespace hone::cli {

using nlohmann::json;

HttpClient open_client() {
  const char* token = std::getenv("HONE_TOKEN");
  if (!token || !*token)
    throw Error(Code::Unauthenticated,
                "HONE_TOKEN is not set. Make a token on the page (your account), or on the "
                "server's machine: hone tokens create --name ME");
  std::string url;
  if (const char* given = std::getenv("HONE_URL"); given && *given) {
    url = given;
  } else {
    std::ifstream in(shared::read_config().home / "address");
    if (!std::getline(in, url) || url.empty()) url = "http://127.0.0.1:8080";
  }
  return HttpClient(url, token);
}

json find_project(HttpClient& client, const std::string& text) {
  const auto projects = client.list("/api/v1/projects");
  std::string names;
  for (const auto& project : projects) {
    if (text_of(project, "id") == text || text_of(project, "slug") == text) return project;
    names += (names.empty() ? "" : ", ") + text_of(project, "slug");
  }
  for (const auto& project : projects)
    if (text_of(project, "name") == text) return project;
  throw Error(Code::NotFound, "there is no project \"" + text + "\"; " +
                                  (names.empty() ? "none has been made yet (hone projects create)"
                                                 : "there are: " + names));
}

std::string project_id(HttpClient& client, const std::string& text) {
  if (shared::is_uuid(text)) return text;
  return text_of(find_project(client, text), "id");
}

std::string critic_id(HttpClient& client, const std::string& project, const std::string& text) {
  if (shared::is_uuid(text)) return text;
  std::string id, names;
  std::int64_t newest = 0;
  for (const auto& critic : client.list("/api/v1/projects/" + project + "/critics")) {
    const auto version = critic.value("version", std::int64_t{1});
    names += (names.empty() ? "" : ", ") + text_of(critic, "name");
    if (text_of(critic, "name") != text || version < newest) continue;
    id = text_of(critic, "id");
    newest = version;
  }
  if (id.empty())
    throw Error(Code::NotFound, "the project has no critic \"" + text + "\"; " +
                                    (names.empty() ? "none has been added yet (hone critic add)"
                                                   : "there are: " + names));
  return id;
}

std::string text_of(const json& value, const char* name) {
  const auto found = value.find(name);
  return found != value.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw Error(Code::NotFound, "cannot read " + path);
  std::ostringstream text;
  text << in.rdbuf();
  return std::move(text).str();
}

json read_json_file(const std::string& path) {
  try {
    return shared::parse_json(read_file(path));
  } catch (const Error& e) {
    if (e.code() != Code::Invalid) throw;
    throw Error(Code::Invalid, path + ": " + e.detail(), e.pointer());
  }
}

}  // namespace hone::cli
