#include "services/server/handlers/users.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "feedback/base/error.h"
#include "services/server/app.h"
#include "services/server/auth/audit.h"
#include "services/server/auth/links.h"
#include "services/server/json/body.h"
#include "services/server/json/ids.h"
#include "services/server/json/list.h"
#include "services/shared/json.h"
#include "storage/repo/teams.h"

namespace hone::server {
namespace {

nlohmann::ordered_json to_json(const storage::Member& member) {
  nlohmann::ordered_json json;
  json["id"] = member.id.value;
  json["name"] = member.name;
  json["email"] = member.email;
  json["role"] = storage::to_string(member.role);
  json["active"] = member.active;
  json["last_seen_at"] = member.last_seen_at ? nlohmann::ordered_json(*member.last_seen_at)
                                             : nlohmann::ordered_json(nullptr);
  return json;
}

net::awaitable<Response> set_active(App& app, Caller caller, Request request, bool active) {
  const auto user = param_id<UserTag>(request, "id");
  const auto change = [user, active, caller, &request](storage::Tx& tx) {
    if (storage::get_member(tx, user).active != active) {
      storage::set_member_active(tx, user, active);
      audit(tx, caller, request, active ? "user.activate" : "user.deactivate", "user", user.value);
    }
    return to_json(storage::get_member(tx, user)).dump();
  };
  co_return Response(http::status::ok, co_await app.db.transact(caller.team, change));
}

// A reset link lets its holder in wherever the person may go.
void require_power_over(storage::Tx& tx, const Caller& caller, const UserId& person) {
  const auto target = storage::find_user(tx, person);
  if (!target) throw Error(Code::NotFound, "there is no such person in this team");
  if (caller.instance_admin) return;
  const auto mine = storage::list_teams_of(tx, caller.user);
  const auto is_my_team = [&mine](const storage::TeamOfUser& theirs) {
    return std::any_of(mine.begin(), mine.end(), [&theirs](const storage::TeamOfUser& my) {
      return my.team.id == theirs.team.id && my.role == Role::Admin;
    });
  };
  const auto theirs = storage::list_teams_of(tx, person);
  if (target->instance_admin || !std::all_of(theirs.begin(), theirs.end(), is_my_team))
    throw Error(
        Code::Forbidden,
        "this person belongs to more than your teams; an admin of the instance can make the link");
}

}  // namespace

net::awaitable<Response> get_users(App& app, Caller caller, Request) {
  const auto list = [](storage::Tx& tx) { return storage::list_members(tx); };
  auto data = nlohmann::ordered_json::array();
  const auto found = co_await app.db.transact(caller.team, list);
  for (const auto& member : found) data.push_back(to_json(member));
  co_return reply_list(app, data);
}

net::awaitable<Response> patch_user(App& app, Caller caller, Request request) {
  const auto user = param_id<UserTag>(request, "id");
  const auto json = parse_body(request);
  shared::Fields body(json);
  const auto role =
      storage::parse_role(body.word("role", {"annotator", "reviewer", "engineer", "admin"}));
  body.done();
  const auto change = [user, role, caller, &request](storage::Tx& tx) {
    if (storage::get_member(tx, user).role != role) {
      storage::set_member_role(tx, user, role);
      storage::delete_sessions_of(tx, user);
      audit(tx, caller, request, "user.set_role", "user", user.value,
            nlohmann::json{{"role", storage::to_string(role)}}.dump());
    }
    return to_json(storage::get_member(tx, user)).dump();
  };
  co_return Response(http::status::ok, co_await app.db.transact(caller.team, change));
}

net::awaitable<Response> post_user_deactivate(App& app, Caller caller, Request request) {
  return set_active(app, std::move(caller), std::move(request), false);
}

net::awaitable<Response> post_user_activate(App& app, Caller caller, Request request) {
  return set_active(app, std::move(caller), std::move(request), true);
}

net::awaitable<Response> post_user_reset(App& app, Caller caller, Request request) {
  const auto user = param_id<UserTag>(request, "id");
  App* const application = &app;
  const auto make = [application, user, caller, &request](storage::Tx& tx) {
    storage::get_member(tx, user);  // NotFound for another team's person
    require_power_over(tx, caller, user);
    audit(tx, caller, request, "user.reset", "user", user.value);
    return make_reset_link(*application, tx, user);
  };
  const auto link = co_await app.db.transact(caller.team, make);
  co_return reply({{"link", link.url}, {"expires_at", link.expires_at}}, http::status::created);
}

}  // namespace hone::server
