#include "services/server/handlers/invitations.h"

#include <nlohmann/json.hpp>

#include "feedback/base/error.h"
#include "services/server/app.h"
#include "services/server/auth/accounts.h"
#include "services/server/auth/audit.h"
#include "services/server/auth/email.h"
#include "services/server/auth/links.h"
#include "services/server/auth/login.h"
#include "services/server/auth/password.h"
#include "services/server/json/body.h"
#include "services/server/json/ids.h"
#include "services/server/json/list.h"
#include "services/shared/json.h"

namespace hone::server {
namespace {

nlohmann::ordered_json to_json(const storage::Invitation& invitation) {
  nlohmann::ordered_json json;
  json["id"] = invitation.id;
  json["email"] = invitation.email.empty() ? nlohmann::ordered_json(nullptr)
                                           : nlohmann::ordered_json(invitation.email);
  json["role"] = storage::to_string(invitation.role);
  json["created_at"] = invitation.created_at;
  json["expires_at"] = invitation.expires_at;
  return json;
}

Error gone() {
  return Error(Code::NotFound,
               "the invitation is not valid, was used before or is over; ask for a new one");
}

}  // namespace

net::awaitable<Response> post_invitation(App& app, Caller caller, Request request) {
  const auto json = parse_body(request);
  shared::Fields body(json);
  storage::NewInvitation given;
  if (const auto email = body.find_text("email", {1, 254}))
    given.email = parse_email(*email, "/email");
  given.role =
      storage::parse_role(body.word("role", {"annotator", "reviewer", "engineer", "admin"}));
  body.done();
  given.created_by = caller.user;

  App* const application = &app;
  const auto invite = [application, caller, request, given](storage::Tx& tx) -> Response {
    auto mine = given;
    const auto token = shared::new_token("inv", application->random);
    mine.token_sha256 = sha256_hex(token);
    const auto made = storage::insert_invitation(tx, mine);
    audit(tx, caller, request, "invitation.create", "invitation", made.id);
    auto reply = to_json(made);
    reply["link"] = join_link(application->public_url, token, made).url;
    return Response(http::status::created, reply.dump());
  };
  // No Idempotency-Key here: a stored reply would keep the secret that is stored nowhere else.
  co_return co_await app.db.transact(caller.team, invite);
}

net::awaitable<Response> get_invitations(App& app, Caller caller, Request) {
  const auto list = [](storage::Tx& tx) { return storage::list_invitations(tx); };
  auto data = nlohmann::ordered_json::array();
  const auto found = co_await app.db.transact(caller.team, list);
  for (const auto& invitation : found) data.push_back(to_json(invitation));
  co_return reply_list(app, data);
}

net::awaitable<Response> delete_invitation(App& app, Caller caller, Request request) {
  const auto id = param_id<struct InvitationTag>(request, "id");
  const auto remove = [id, caller, &request](storage::Tx& tx) {
    storage::delete_invitation(tx, id.value);
    audit(tx, caller, request, "invitation.delete", "invitation", id.value);
  };
  co_await app.db.transact(caller.team, remove);
  co_return Response::none();
}

net::awaitable<Response> post_invitation_accept(App& app, Caller, Request request) {
  const auto json = parse_body(request);
  shared::Fields body(json);
  const auto token = body.text("token", {1, 200});
  const auto name = body.text("name", {1, 200});
  const auto email_given = body.find_text("email", {1, 254});
  const auto password = body.text("password", {1, kPasswordMax});
  body.done();
  if (!shared::is_token("inv", token)) throw gone();

  // Looked up before the hash is made: strangers' guesses cost no 64 MB each.
  const auto token_sha256 = sha256_hex(token);
  const auto find = [token_sha256](storage::Tx& tx) {
    return storage::find_invitation(tx, token_sha256);
  };
  const auto invitation = co_await app.db.transact(find);
  if (!invitation) throw gone();
  if (invitation->email.empty() && !email_given)
    throw Error(Code::Invalid, "email: is required", "/email");
  const auto email =
      invitation->email.empty() ? parse_email(*email_given, "/email") : invitation->email;
  check_password(password, email, name);

  const auto hash = co_await app.accounts.hash(password);
  const storage::NewUser person{.email = email, .name = name, .password_hash = hash};
  App* const application = &app;
  struct Joined {
    NewLogin login;
    std::string json;
  };
  const auto join = [application, token_sha256, person, &request](storage::Tx& tx) {
    const auto open = storage::find_invitation(tx, token_sha256);
    if (!open) throw gone();
    auto given = person;
    given.instance_admin = open->instance_admin;
    // The first administrator's link works while nobody is there; a second such link is void then.
    if (open->instance_admin && storage::count_people(tx) > 0) throw gone();
    tx.set_team(open->team);
    const auto user = storage::insert_user(tx, given);
    storage::insert_member(tx, user, open->role);
    if (!storage::use_invitation(tx, open->id, user)) throw gone();
    Caller joined;
    joined.user = user;
    audit(tx, joined, request, "invitation.accept", "user", user.value);
    Joined out;
    out.login = begin_login(*application, tx, user);
    out.json = session_json(*application, tx, user, out.login.login, {});
    return out;
  };
  const auto joined = co_await app.db.transact(join);
  Response response(http::status::created, joined.json);
  set_login_cookie(response, joined.login.cookie);
  co_return response;
}

}  // namespace hone::server
