#include "services/server/handlers/critics.h"

#include "services/server/app.h"
#include "services/server/handlers/audited.h"
#include "services/server/json/body.h"
#include "services/server/json/list.h"
#include "services/server/json/once.h"
#include "services/server/json/values.h"
#include "services/shared/rule_critic.h"
#include "storage/artifacts/sha256.h"
#include "storage/repo/project_lookup.h"

namespace hone::server {
namespace {

using nlohmann::json;

json to_json(const storage::CriticVersion& critic) {
  return {{"id", critic.id.value},
          {"name", critic.name},
          {"kind", critic.kind},
          {"version", critic.version},
          {"spec", stored_json(critic.spec)},
          {"spec_sha256", critic.spec_sha256},
          {"created_at", critic.created_at}};
}

}  // namespace

std::optional<storage::CriticVersion> find_critic(storage::Tx& tx, const ProjectId& project,
                                                  const CriticId& id) {
  for (auto& critic : storage::list_critics(tx, project))
    if (critic.id == id) return std::move(critic);
  return std::nullopt;
}

net::awaitable<Response> list_critics(App& app, Caller caller, Request request) {
  const auto project = path_id<ProjectId>(request, "id");
  const auto list = [project](storage::Tx& tx) {
    storage::require_project(tx, project);
    return storage::list_critics(tx, project);
  };
  const auto critics = co_await app.db.transact(caller.team, list);
  auto data = json::array();
  for (const auto& critic : critics) data.push_back(to_json(critic));
  co_return reply_list(app, std::move(data));
}

net::awaitable<Response> post_critic(App& app, Caller caller, Request request) {
  const auto project = path_id<ProjectId>(request, "id");
  const json given = parse_body(request);
  shared::Fields body(given);
  const auto name = body.text("name", {1, 100});
  const auto critic = shared::RuleCritic::parse(body.value("spec"), "/spec");
  body.done();
  const std::function<Response(storage::Tx&)> act = [=](storage::Tx& tx) {
    storage::require_project(tx, project);
    const auto made =
        storage::insert_critic(tx, {.project = project,
                                    .name = name,
                                    .spec = critic.canonical(),
                                    .spec_sha256 = storage::sha256_hex(critic.canonical()),
                                    .created_by = caller.user});
    if (made.created_now) audit(tx, caller, request, "critic.create", "critic", made.id.value);
    return reply(to_json(made), made.created_now ? http::status::created : http::status::ok);
  };
  co_return co_await act_once(app, caller, request, act);
}

}  // namespace hone::server
