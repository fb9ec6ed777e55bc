#include "services/server/auth/login.h"

#include <nlohmann/json.hpp>

#include "feedback/base/error.h"
#include "services/server/auth/accounts.h"
#include "services/server/auth/authenticate.h"
#include "services/server/auth/digest.h"
#include "storage/repo/teams.h"
#include "storage/repo/users.h"

namespace hone::server {

std::string session_json(const App& app, storage::Tx& tx, const UserId& id,
                         const std::string& login, const TeamId& team) {
  using nlohmann::ordered_json;
  const auto user = storage::find_user(tx, id);
  if (!user) throw Error(Code::Unauthenticated, "sign in again");
  ordered_json body;
  body["user"] = {{"id", id.value},
                  {"name", user->name},
                  {"email", user->email},
                  {"instance_admin", user->instance_admin}};
  body["team"] = nullptr;
  body["teams"] = ordered_json::array();
  for (const auto& membership : storage::list_teams_of(tx, id)) {
    const ordered_json one = {{"id", membership.team.id.value},
                              {"slug", membership.team.slug},
                              {"name", membership.team.name},
                              {"role", storage::to_string(membership.role)}};
    if (body["team"].is_null() && (team.value.empty() || membership.team.id == team))
      body["team"] = one;
    body["teams"].push_back(one);
  }
  body["csrf"] = login.empty() ? ordered_json(nullptr) : ordered_json(app.accounts.csrf_of(login));
  return body.dump();
}

NewLogin begin_login(App& app, storage::Tx& tx, const UserId& user) {
  NewLogin out;
  out.cookie = random_text(app.random, 32);
  out.login = sha256_hex(out.cookie);
  storage::insert_session(tx, {.token_sha256 = out.login, .user = user});
  return out;
}

void set_login_cookie(httpd::Response& response, const std::string& secret) {
  // Lax, not Strict: Strict would drop the cookie on the way back from a single sign-on.
  const std::string flags = "; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=";
  response.with("Set-Cookie",
                std::string(kCookie) + "=" + secret + flags + (secret.empty() ? "0" : "604800"));
}

}  // namespace hone::server
