#include "services/server/handlers/projects.h"

#include "services/server/app.h"
#include "services/server/handlers/audited.h"
#include "services/server/json/body.h"
#include "services/server/json/list.h"
#include "services/server/json/once.h"
#include "services/server/json/projects.h"
#include "services/server/json/values.h"
#include "storage/repo/project_lookup.h"

namespace hone::server {

using nlohmann::json;

net::awaitable<Response> list_projects(App& app, Caller caller, Request) {
  const auto list = [](storage::Tx& tx) { return storage::list_projects(tx); };
  const auto projects = co_await app.db.transact(caller.team, list);
  auto data = json::array();
  for (const auto& project : projects) data.push_back(to_json(project));
  co_return reply_list(app, std::move(data));
}

net::awaitable<Response> post_project(App& app, Caller caller, Request request) {
  const auto given = parse_new_project(parse_body(request));
  const std::function<Response(storage::Tx&)> act = [=](storage::Tx& tx) {
    const auto made = storage::insert_project(tx, given);
    audit(tx, caller, request, "project.create", "project", made.id.value);
    return reply(to_json(storage::get_project(tx, made.id)), http::status::created);
  };
  co_return co_await act_once(app, caller, request, act);
}

net::awaitable<Response> get_project(App& app, Caller caller, Request request) {
  const auto id = path_id<ProjectId>(request, "id");
  const auto get = [id](storage::Tx& tx) { return storage::get_project(tx, id); };
  const auto project = co_await app.db.transact(caller.team, get);
  co_return reply(to_json(project));
}

net::awaitable<Response> patch_project(App& app, Caller caller, Request request) {
  const auto id = path_id<ProjectId>(request, "id");
  const auto patch = parse_project_patch(parse_body(request));
  const auto change = [=](storage::Tx& tx) {
    storage::patch_project(tx, id, patch);
    audit(tx, caller, request, "project.patch", "project", id.value);
    return storage::get_project(tx, id);
  };
  const auto project = co_await app.db.transact(caller.team, change);
  co_return reply(to_json(project));
}

net::awaitable<Response> list_prompts(App& app, Caller caller, Request request) {
  const auto id = path_id<ProjectId>(request, "id");
  const auto page = page_asked(app, request);
  const auto list = [=](storage::Tx& tx) {
    storage::require_project(tx, id);
    return storage::list_prompts(tx, id, page);
  };
  const auto prompts = co_await app.db.transact(caller.team, list);
  auto data = json::array();
  for (const auto& prompt : prompts.data) data.push_back(to_json(prompt));
  co_return reply_list(app, std::move(data), next_of(prompts));
}

net::awaitable<Response> get_progress(App& app, Caller caller, Request request) {
  const auto id = path_id<ProjectId>(request, "id");
  const auto get = [=](storage::Tx& tx) {
    storage::require_project(tx, id);
    return storage::get_progress(tx, id, storage::judge_of_user(tx, caller.user));
  };
  const auto progress = co_await app.db.transact(caller.team, get);
  co_return reply(to_json(progress));
}

net::awaitable<Response> list_bases(App& app, Caller, Request) {
  const auto list = [](storage::Tx& tx) { return storage::list_bases(tx); };
  const auto bases = co_await app.db.transact(list);
  auto data = json::array();
  for (const auto& base : bases) data.push_back(to_json(base));
  co_return reply_list(app, std::move(data));
}

}  // namespace hone::server
