#include "services/server/handlers/models.h"

#include <charconv>
#include <cstdint>

#include "services/httpd/tar.h"
#include "services/server/app.h"
#include "services/server/json/body.h"
#include "services/server/json/list.h"
#include "services/server/json/models.h"
#include "services/server/json/values.h"
#include "storage/artifacts/store.h"

namespace hone::server {
namespace {

using nlohmann::json;

std::int64_t path_number(const Request& request) {
  const auto& text = request.param("n");
  std::int64_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc() || end != text.data() + text.size() || number < 1)
    throw Error(Code::NotFound, "there is no such version");
  return number;
}

/// "house-style-3": how a version is named in files that leave the server.
std::string name_of(const storage::Version& version) {
  return version.model + "-" + std::to_string(version.number);
}

/// Nothing that a browser would run or render: what is downloaded stays a download.
std::string content_type(const std::string& path) {
  if (path.ends_with(".json") || path.ends_with(".jsonl")) return "application/json";
  if (path.ends_with(".md") || path.ends_with(".txt") || path.ends_with("LICENSE"))
    return "text/plain; charset=utf-8";
  return "application/octet-stream";
}

net::awaitable<storage::Version> find_version(App& app, Caller caller, Request request) {
  const auto name = request.param("name");
  const auto number = path_number(request);
  const auto get = [=](storage::Tx& tx) { return storage::get_version(tx, name, number); };
  co_return co_await app.db.transact(caller.team, get);
}

}  // namespace

net::awaitable<Response> list_models(App& app, Caller caller, Request) {
  const auto list = [](storage::Tx& tx) { return storage::list_models(tx); };
  const auto models = co_await app.db.transact(caller.team, list);
  auto data = json::array();
  for (const auto& model : models) data.push_back(to_json(model));
  co_return reply_list(app, std::move(data));
}

net::awaitable<Response> get_model(App& app, Caller caller, Request request) {
  const auto name = request.param("name");
  const auto get = [name](storage::Tx& tx) {
    json out = to_json(storage::get_model(tx, name));
    out["versions"] = json::array();
    for (const auto& version : storage::list_versions(tx, name)) {
      json row = to_json(version);
      row.erase("files");  // of one version only
      out["versions"].push_back(std::move(row));
    }
    return out;
  };
  const auto model = co_await app.db.transact(caller.team, get);
  co_return reply(model);
}

net::awaitable<Response> get_version(App& app, Caller caller, Request request) {
  const auto version = co_await find_version(app, caller, request);
  co_return reply(to_json(version));
}

net::awaitable<Response> get_version_file(App& app, Caller caller, Request request) {
  const auto version = co_await find_version(app, caller, request);
  const auto& path = request.param("path");
  for (const auto& file : version.files)
    if (file.path == path) {
      const auto name = path.substr(path.rfind('/') + 1);
      auto response = Response::file(app.store.path(file.sha256), content_type(path), name);
      co_return response.with("ETag", "\"" + file.sha256 + "\"");
    }
  throw Error(Code::NotFound, "this version has no file of that name");
}

net::awaitable<Response> get_version_archive(App& app, Caller caller, Request request) {
  const auto version = co_await find_version(app, caller, request);
  const auto& folder = request.param("folder");
  std::vector<httpd::TarEntry> entries;
  for (const auto& file : version.files)
    if (file.path.starts_with(folder + "/"))
      entries.push_back({name_of(version) + "/" + file.path, app.store.path(file.sha256),
                         static_cast<std::uint64_t>(file.bytes)});
  if (entries.empty()) throw Error(Code::NotFound, "this version has no folder of that name");
  co_return httpd::tar_response(std::move(entries), name_of(version) + "-" + folder + ".tar");
}

}  // namespace hone::server
