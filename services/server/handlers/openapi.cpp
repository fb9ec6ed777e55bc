#include "services/server/handlers/openapi.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace hone::server {
namespace {

using nlohmann::ordered_json;

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return out;
}

std::string_view who(httpd::Least least) {
  switch (least) {
    case httpd::Least::Anyone:
      return "anyone";
    case httpd::Least::SignedIn:
      return "signed in";
    case httpd::Least::Annotator:
      return "annotator";
    case httpd::Least::Reviewer:
      return "reviewer";
    case httpd::Least::Engineer:
      return "engineer";
    case httpd::Least::Admin:
      return "admin";
    case httpd::Least::InstanceAdmin:
      return "instance admin";
  }
  return "";
}

// {path...} is the table's; OpenAPI knows {path}.
std::string plain_path(std::string_view path) {
  std::string out(path);
  if (const auto dots = out.find("...}"); dots != std::string::npos) out.erase(dots, 3);
  return out;
}

ordered_json parameters(const std::string& path) {
  auto list = ordered_json::array();
  for (auto open = path.find('{'); open != std::string::npos; open = path.find('{', open + 1)) {
    const auto name = path.substr(open + 1, path.find('}', open) - open - 1);
    list.push_back(
        {{"name", name}, {"in", "path"}, {"required", true}, {"schema", {{"type", "string"}}}});
  }
  return list;
}

ordered_json operation(const Route& route, const std::string& path) {
  ordered_json out;
  out["summary"] = route.summary;
  // postApiV1Runs: one name for every method and path.
  std::string id = lower(to_string(route.method));
  bool upper = true;
  for (const char c : path) {
    const bool letter = std::isalnum(static_cast<unsigned char>(c)) != 0;
    if (letter) id += upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    upper = !letter;
  }
  out["operationId"] = id;
  if (auto given = parameters(path); !given.empty()) out["parameters"] = given;
  if (route.policy.least() == httpd::Least::Anyone) out["security"] = ordered_json::array();
  out["x-hone-role"] = who(route.policy.least());
  if (httpd::is_unsafe(route.method) && route.method != Method::Delete) {
    const bool file = route.policy.body() == httpd::Body::File;
    out["requestBody"]["content"][file ? "application/jsonl" : "application/json"] = {
        {"schema", file ? ordered_json{{"type", "string"}} : ordered_json{{"type", "object"}}}};
  }
  out["responses"] = {{"2XX", {{"description", "done"}}},
                      {"default",
                       {{"description", "refused or failed"},
                        {"content",
                         {{"application/problem+json",
                           {{"schema", {{"$ref", "#/components/schemas/Problem"}}}}}}}}}};
  return out;
}

ordered_json problem_schema() {
  const ordered_json text = {{"type", "string"}};
  const ordered_json maybe_text = {{"type", {"string", "null"}}};
  return {{"type", "object"},
          {"required", {"type", "title", "status", "detail", "instance", "error", "errors"}},
          {"properties",
           {{"type", text},
            {"title", text},
            {"status", {{"type", "integer"}}},
            {"detail", text},
            {"instance", text},
            {"error",
             {{"type", "object"},
              {"properties",
               {{"message", text}, {"type", text}, {"param", maybe_text}, {"code", text}}}}},
            {"errors",
             {{"type", "array"},
              {"items",
               {{"type", "object"},
                {"properties",
                 {{"pointer", text},
                  {"line", {{"type", {"integer", "null"}}}},
                  {"detail", text}}}}}}}}}};
}

}  // namespace

std::string openapi_json() {
  ordered_json out;
  out["openapi"] = "3.1.0";
  out["info"] = {{"title", "Hone"}, {"version", HONE_VERSION}};
  out["security"] = {{{"token", ordered_json::array()}}, {{"login", ordered_json::array()}}};
  for (const auto& route : routes()) {
    const auto path = plain_path(route.path);
    out["paths"][path][lower(to_string(route.method))] = operation(route, path);
  }
  out["components"]["securitySchemes"] = {
      {"token",
       {{"type", "http"}, {"scheme", "bearer"}, {"description", "an API token, hone_pat_..."}}},
      {"login",
       {{"type", "apiKey"},
        {"in", "cookie"},
        {"name", "__Host-hone"},
        {"description",
         "a login; methods that change something also need X-Hone-CSRF and this site's Origin"}}}};
  out["components"]["schemas"]["Problem"] = problem_schema();
  return out.dump();
}

net::awaitable<Response> get_openapi(App&, Caller, Request) {
  static const std::string text = openapi_json();
  co_return Response(http::status::ok, text);
}

}  // namespace hone::server
