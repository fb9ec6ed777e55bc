#include "services/server/auth/authenticate.h"

#include "feedback/base/error.h"
#include "services/server/app.h"
#include "services/server/auth/accounts.h"
#include "services/server/auth/digest.h"
#include "services/shared/json.h"
#include "services/shared/token.h"
#include "storage/repo/teams.h"
#include "storage/repo/tokens.h"
#include "storage/repo/users.h"

namespace hone::server {
namespace {

std::optional<Caller> find_by_token(storage::Tx& tx, const std::string& sha256) {
  const auto owner = storage::find_token(tx, sha256);
  if (!owner) return std::nullopt;
  Caller caller;
  caller.by = Caller::By::Token;
  caller.user = owner->user.id;
  caller.team = owner->team.id;
  caller.role = owner->role;
  // A token is a key of its team: what its maker is on the instance does not go with it.
  caller.instance_admin = false;
  caller.credential = sha256;
  caller.token_id = owner->token_id;
  return caller;
}

std::optional<Caller> find_by_cookie(storage::Tx& tx, const Credential& credential) {
  const auto session = storage::find_session(tx, credential.sha256);
  if (!session) return std::nullopt;
  Caller caller;
  caller.by = Caller::By::Cookie;
  caller.user = session->user.id;
  caller.instance_admin = session->user.instance_admin;
  caller.credential = credential.sha256;
  for (const auto& membership : storage::list_teams_of(tx, session->user.id)) {
    if (!credential.team_wanted.empty() && membership.team.id.value != credential.team_wanted)
      continue;
    caller.team = membership.team.id;
    caller.role = membership.role;
    return caller;
  }
  if (!credential.team_wanted.empty()) throw Error(Code::NotFound, "there is no such team");
  return caller;
}

// scheme://host[:port] -> host[:port]
std::string_view authority(std::string_view origin) {
  const auto begin = origin.find("://");
  return begin == std::string_view::npos ? std::string_view() : origin.substr(begin + 3);
}

bool is_own_origin(const App& app, const httpd::Request& request, std::string_view origin) {
  const auto asked = authority(origin);
  return !asked.empty() && (asked == request.header("host") || origin == app.public_url);
}

}  // namespace

Credential credential_of(const httpd::Request& request) {
  Credential out;
  const auto authorization = request.header("authorization");
  if (!authorization.empty()) {
    static constexpr std::string_view kBearer = "Bearer ";
    if (!authorization.starts_with(kBearer)) return out;
    const auto token = authorization.substr(kBearer.size());
    if (!shared::is_token("pat", token)) return out;
    out.by = Caller::By::Token;
    out.sha256 = sha256_hex(token);
    return out;
  }
  const auto cookie = request.cookie(kCookie);
  if (cookie.empty() || cookie.size() > 100) return out;
  out.by = Caller::By::Cookie;
  out.sha256 = sha256_hex(cookie);
  out.team_wanted = std::string(request.header("x-hone-team"));
  return out;
}

std::optional<Caller> find_caller(storage::Tx& tx, const Credential& credential) {
  switch (credential.by) {
    case Caller::By::Nobody:
      return std::nullopt;
    case Caller::By::Token:
      return find_by_token(tx, credential.sha256);
    case Caller::By::Cookie:
      if (!credential.team_wanted.empty() && !shared::is_uuid(credential.team_wanted))
        throw Error(Code::NotFound, "there is no such team");
      return find_by_cookie(tx, credential);
  }
  return std::nullopt;
}

void require(const httpd::Policy& policy, const Caller& caller) {
  using httpd::Least;
  if (policy.least() == Least::Anyone) return;
  if (!caller.signed_in()) throw Error(Code::Unauthenticated, "sign in, or send a valid API token");
  const auto need = [&caller](Role role, const char* who) {
    if (!caller.at_least(role))
      throw Error(Code::Forbidden, std::string("this needs the role of ") + who + " in the team");
  };
  switch (policy.least()) {
    case Least::Anyone:
    case Least::SignedIn:
      return;
    case Least::Annotator:
      return need(Role::Annotator, "an annotator");
    case Least::Reviewer:
      return need(Role::Reviewer, "a reviewer");
    case Least::Engineer:
      return need(Role::Engineer, "an engineer");
    case Least::Admin:
      return need(Role::Admin, "an admin");
    case Least::InstanceAdmin:
      if (!caller.instance_admin)
        throw Error(Code::Forbidden, "this needs an admin of the instance");
      return;
  }
}

void refuse_foreign_origin(const App& app, const httpd::Request& request) {
  const auto site = request.header("sec-fetch-site");
  if (!site.empty() && site != "same-origin" && site != "none")
    throw Error(Code::Forbidden, "the request comes from another site");
  const auto origin = request.header("origin");
  if (!origin.empty() && !is_own_origin(app, request, origin))
    throw Error(Code::Forbidden, "the request comes from another site");
}

void require_same_site(const App& app, const httpd::Request& request, const Caller& caller) {
  if (caller.by != Caller::By::Cookie || !httpd::is_unsafe(request.method)) return;
  if (request.header("sec-fetch-site").empty() && request.header("origin").empty())
    throw Error(Code::Forbidden, "a request signed in by cookie must say its Origin");
  refuse_foreign_origin(app, request);
  if (!same_secret(request.header("x-hone-csrf"), app.accounts.csrf_of(caller.credential)))
    throw Error(Code::Forbidden,
                "X-Hone-CSRF is missing or not the value that GET /api/v1/session gives");
}

}  // namespace hone::server
