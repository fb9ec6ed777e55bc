#include "services/server/handlers/tokens.h"

#include <nlohmann/json.hpp>

#include "feedback/base/error.h"
#include "services/server/app.h"
#include "services/server/auth/audit.h"
#include "services/server/auth/digest.h"
#include "services/server/json/body.h"
#include "services/server/json/ids.h"
#include "services/server/json/list.h"
#include "services/shared/json.h"
#include "services/shared/token.h"
#include "storage/repo/tokens.h"

namespace hone::server {
namespace {

nlohmann::ordered_json to_json(const storage::Token& token) {
  nlohmann::ordered_json json;
  json["id"] = token.id;
  json["name"] = token.name;
  json["role"] = storage::to_string(token.role);
  json["hint"] = token.hint;
  json["created_by"] = token.created_by.value;
  json["created_at"] = token.created_at;
  json["expires_at"] = token.expires_at;
  json["last_used_at"] = token.last_used_at ? nlohmann::ordered_json(*token.last_used_at)
                                            : nlohmann::ordered_json(nullptr);
  return json;
}

std::optional<UserId> own_unless_admin(const Caller& caller) {
  return caller.at_least(Role::Admin) ? std::nullopt : std::optional(caller.user);
}

}  // namespace

net::awaitable<Response> get_tokens(App& app, Caller caller, Request) {
  const auto list = [caller](storage::Tx& tx) {
    return storage::list_tokens(tx, own_unless_admin(caller));
  };
  auto data = nlohmann::ordered_json::array();
  const auto found = co_await app.db.transact(caller.team, list);
  for (const auto& token : found) data.push_back(to_json(token));
  co_return reply_list(app, data);
}

net::awaitable<Response> post_token(App& app, Caller caller, Request request) {
  if (caller.by != Caller::By::Cookie)
    throw Error(Code::Forbidden, "a token cannot make tokens: sign in");
  const auto json = parse_body(request);
  shared::Fields body(json);
  storage::NewToken given;
  given.name = body.text("name", {1, 200});
  given.role =
      storage::parse_role(body.word("role", {"annotator", "reviewer", "engineer", "admin"}));
  given.expires_in_days =
      static_cast<int>(body.find_integer("expires_in_days", 1, 365).value_or(90));
  body.done();
  if (given.role > caller.role)
    throw Error(Code::Forbidden, "a token cannot be more than its maker", "/role");

  const auto token = shared::new_token("pat", app.random);
  given.token_sha256 = sha256_hex(token);
  given.hint = token.substr(0, std::string_view("hone_pat_").size() + 8);
  given.created_by = caller.user;
  const auto make = [given, caller, &request](storage::Tx& tx) {
    auto made = storage::insert_token(tx, given);
    audit(tx, caller, request, "token.create", "token", made.id);
    return made;
  };
  auto reply = to_json(co_await app.db.transact(caller.team, make));
  reply["token"] = token;
  co_return Response(http::status::created, reply.dump());
}

net::awaitable<Response> delete_token(App& app, Caller caller, Request request) {
  const auto id = param_id<struct TokenTag>(request, "id");
  const auto revoke = [id, caller, &request](storage::Tx& tx) {
    storage::revoke_token(tx, id.value, own_unless_admin(caller));
    audit(tx, caller, request, "token.revoke", "token", id.value);
  };
  co_await app.db.transact(caller.team, revoke);
  co_return Response::none();
}

}  // namespace hone::server
