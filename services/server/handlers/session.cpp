#include "services/server/handlers/session.h"

#include <nlohmann/json.hpp>

#include "feedback/base/error.h"
#include "services/server/app.h"
#include "services/server/auth/accounts.h"
#include "services/server/auth/audit.h"
#include "services/server/auth/digest.h"
#include "services/server/auth/email.h"
#include "services/server/auth/login.h"
#include "services/server/auth/password.h"
#include "services/server/json/body.h"
#include "services/shared/json.h"
#include "services/shared/token.h"
#include "storage/repo/users.h"

namespace hone::server {
namespace {

// A person mistypes five times in a quarter of an hour; a guesser has other numbers in mind.
constexpr int kFailuresPerAddress = 5;
constexpr int kFailuresPerAccount = 100;

struct Known {
  std::optional<storage::User> user;
  storage::LoginFailures failures;
};

Known look_up(storage::Tx& tx, const std::string& email, const std::string& address) {
  return {storage::find_user_by_email(tx, email),
          storage::count_login_failures(tx, email, address)};
}

Response too_many_guesses() {
  auto response = Response::problem(
      http::status::too_many_requests,
      "too many failed attempts; wait a quarter of an hour, or ask an admin for a reset link");
  return response.with("Retry-After", "900");
}

struct LoggedIn {
  std::string cookie, json;
};

// A new login of `user`, with the reply that describes it.
LoggedIn log_in(App& app, storage::Tx& tx, const UserId& user) {
  const auto login = begin_login(app, tx, user);
  return {login.cookie, session_json(app, tx, user, login.login, {})};
}

Response to_response(const LoggedIn& in, http::status status = http::status::ok) {
  Response response(status, in.json);
  set_login_cookie(response, in.cookie);
  return response;
}

void only_by_cookie(const Caller& caller) {
  if (caller.by != Caller::By::Cookie)
    throw Error(Code::Forbidden, "this is for people who signed in, not for API tokens");
}

/// The right password of this account, under the guessing limits. A rehash is made when the stored
/// hash has another cost.
struct Proof {
  enum class Outcome { Right, Wrong, TooMany } outcome = Outcome::Wrong;
  UserId user;
  std::string rehashed;
};

net::awaitable<Proof> prove(App& app, std::string email, std::string password,
                            std::string address) {
  const auto guess = app.accounts.begin_guess(email, address);
  const auto find = [email, address](storage::Tx& tx) { return look_up(tx, email, address); };
  const auto known = co_await app.db.transact(find);
  const bool room = known.failures.account_and_address + guess.running() <= kFailuresPerAddress &&
                    known.failures.account < kFailuresPerAccount;
  Proof proof;
  if (!room) {
    proof.outcome = Proof::Outcome::TooMany;
    co_return proof;
  }
  const auto hash = known.user && known.user->active ? known.user->password_hash : std::string();
  const auto check = co_await app.accounts.check(hash, password);
  if (!check.right) {
    const auto fail = [email, address](storage::Tx& tx) {
      storage::record_login_failure(tx, email, address);
    };
    co_await app.db.transact(fail);
    co_return proof;
  }
  if (check.needs_rehash) proof.rehashed = co_await app.accounts.hash(password);
  proof.outcome = Proof::Outcome::Right;
  proof.user = known.user->id;
  co_return proof;
}

}  // namespace

net::awaitable<Response> post_session(App& app, Caller, Request request) {
  const auto json = parse_body(request);
  shared::Fields body(json);
  const auto email = normal_email(body.text("email", {1, 254}));
  const auto password = body.text("password", {1, kPasswordMax});
  body.done();

  const auto proof = co_await prove(app, email, password, request.peer);
  if (proof.outcome == Proof::Outcome::TooMany) co_return too_many_guesses();
  if (proof.outcome == Proof::Outcome::Wrong)
    throw Error(Code::Unauthenticated, "the e-mail address or the password is wrong");

  App* const application = &app;
  const auto begin = [application, proof, &request](storage::Tx& tx) {
    if (!proof.rehashed.empty()) storage::rehash_password(tx, proof.user, proof.rehashed);
    Caller person;
    person.user = proof.user;
    audit(tx, person, request, "session.create", "user", proof.user.value);
    return log_in(*application, tx, proof.user);
  };
  co_return to_response(co_await app.db.transact(begin));
}

net::awaitable<Response> get_session(App& app, Caller caller, Request) {
  App* const application = &app;
  const auto read = [application, caller](storage::Tx& tx) {
    return session_json(*application, tx, caller.user,
                        caller.by == Caller::By::Cookie ? caller.credential : "", caller.team);
  };
  co_return Response(http::status::ok, co_await app.db.transact(read));
}

net::awaitable<Response> delete_session(App& app, Caller caller, Request request) {
  only_by_cookie(caller);
  const auto end = [caller, &request](storage::Tx& tx) {
    storage::delete_session(tx, caller.credential);
    audit(tx, caller, request, "session.delete", "user", caller.user.value);
  };
  co_await app.db.transact(end);
  auto response = Response::none();
  set_login_cookie(response, "");
  co_return response;
}

net::awaitable<Response> delete_sessions(App& app, Caller caller, Request request) {
  only_by_cookie(caller);
  const auto end = [caller, &request](storage::Tx& tx) {
    storage::delete_sessions_of(tx, caller.user);
    audit(tx, caller, request, "session.delete_all", "user", caller.user.value);
  };
  co_await app.db.transact(end);
  auto response = Response::none();
  set_login_cookie(response, "");
  co_return response;
}

net::awaitable<Response> put_password(App& app, Caller caller, Request request) {
  only_by_cookie(caller);
  const auto json = parse_body(request);
  shared::Fields body(json);
  const auto current = body.text("current", {1, kPasswordMax});
  const auto password = body.text("password", {1, kPasswordMax});
  body.done();

  const auto find = [caller](storage::Tx& tx) { return storage::find_user(tx, caller.user); };
  const auto user = co_await app.db.transact(find);
  if (!user) throw Error(Code::Unauthenticated, "sign in again");
  check_password(password, user->email, user->name);
  const auto proof = co_await prove(app, normal_email(user->email), current, request.peer);
  if (proof.outcome == Proof::Outcome::TooMany) co_return too_many_guesses();
  if (proof.outcome == Proof::Outcome::Wrong)
    throw Error(Code::Invalid, "the current password is wrong", "/current");

  const auto hash = co_await app.accounts.hash(password);
  App* const application = &app;
  const auto change = [application, caller, hash, &request](storage::Tx& tx) {
    storage::set_password_hash(tx, caller.user, hash);  // ends every login
    audit(tx, caller, request, "password.change", "user", caller.user.value);
    return log_in(*application, tx, caller.user);
  };
  co_return to_response(co_await app.db.transact(change));
}

net::awaitable<Response> post_password_reset(App& app, Caller, Request request) {
  const auto json = parse_body(request);
  shared::Fields body(json);
  const auto token = body.text("token", {1, 200});
  const auto password = body.text("password", {1, kPasswordMax});
  body.done();
  if (!shared::is_token("rst", token))
    throw Error(Code::NotFound, "the link is not valid; ask for a new one");
  check_password(password, "", "");

  const auto hash = co_await app.accounts.hash(password);
  App* const application = &app;
  const auto spend = [application, token, hash, &request](storage::Tx& tx) {
    const auto user = storage::use_reset(tx, sha256_hex(token));
    if (!user)
      throw Error(Code::NotFound, "the link was used before or is over; ask for a new one");
    storage::set_password_hash(tx, *user, hash);
    Caller person;
    person.user = *user;
    audit(tx, person, request, "password.reset", "user", user->value);
    return log_in(*application, tx, *user);
  };
  co_return to_response(co_await app.db.transact(spend));
}

}  // namespace hone::server
