#include "storage/repo/users.h"

#include "feedback/base/error.h"
#include "storage/postgres/exec.h"

namespace hone::storage {
namespace {

User user_of(const pqxx::row& row) {
  return {.id = id<UserTag>(row, "id"),
          .email = text(row, "email"),
          .name = text(row, "name"),
          .password_hash = text(row, "password_hash"),
          .instance_admin = boolean(row, "instance_admin"),
          .active = boolean(row, "active"),
          .console = boolean(row, "console")};
}

}  // namespace

UserId insert_user(Tx& tx, const NewUser& given) {
  const auto rows =
      exec(tx, R"sql(
      INSERT INTO users (email, name, password_hash, instance_admin, console) VALUES ($1, $2, $3, $4, $5)
      ON CONFLICT (lower(email)) DO NOTHING RETURNING id)sql",
           given.email, given.name, given.password_hash, given.instance_admin, given.console);
  if (rows.empty()) throw Error(Code::Conflict, "there is an account for this address", "/email");
  return id<UserTag>(rows[0], "id");
}

std::optional<User> find_user_by_email(Tx& tx, const std::string& email) {
  const auto rows = exec(tx, R"sql(
      SELECT id, email, name, password_hash, instance_admin, active, console FROM users
       WHERE lower(email) = lower($1))sql",
                         email);
  if (rows.empty()) return std::nullopt;
  return user_of(rows[0]);
}

std::optional<User> find_user(Tx& tx, const UserId& user) {
  const auto rows = exec(tx, R"sql(
      SELECT id, email, name, password_hash, instance_admin, active, console FROM users WHERE id = $1)sql",
                         user);
  if (rows.empty()) return std::nullopt;
  return user_of(rows[0]);
}

std::int64_t count_people(Tx& tx) {
  return int64(exec(tx, "SELECT count(*) AS n FROM users WHERE NOT console")[0], "n");
}

void set_password_hash(Tx& tx, const UserId& user, const std::string& password_hash) {
  rehash_password(tx, user, password_hash);
  delete_sessions_of(tx, user);
}

void rehash_password(Tx& tx, const UserId& user, const std::string& password_hash) {
  const auto rows =
      exec(tx, "UPDATE users SET password_hash = $2 WHERE id = $1", user, password_hash);
  if (rows.affected_rows() == 0) throw Error(Code::NotFound, "no such person");
}

void insert_session(Tx& tx, const NewSession& given) {
  exec(tx, R"sql(
      INSERT INTO sessions (token_sha256, user_id, idle, expires_at)
      VALUES ($1, $2, make_interval(secs => $3), now() + make_interval(secs => $4)))sql",
       given.token_sha256, given.user, given.idle.count(), given.absolute.count());
  exec(tx, "UPDATE users SET last_seen_at = now() WHERE id = $1", given.user);
  // Who logs in sweeps up what is over; the table stays small without a clock of its own.
  exec(tx, "DELETE FROM sessions WHERE expires_at < now() OR last_seen_at + idle < now()");
}

std::optional<Session> find_session(Tx& tx, const std::string& token_sha256) {
  const auto rows = exec(tx, R"sql(
      SELECT u.id, u.email, u.name, u.password_hash, u.instance_admin, u.active, u.console,
             rfc3339(s.created_at) AS created_at, rfc3339(s.last_seen_at) AS last_seen_at,
             rfc3339(s.expires_at) AS expires_at,
             s.last_seen_at < clock_timestamp() - interval '1 minute' AS stale
        FROM sessions s JOIN users u ON u.id = s.user_id
       WHERE s.token_sha256 = $1 AND u.active AND s.expires_at > clock_timestamp()
         AND s.last_seen_at + s.idle > clock_timestamp())sql",
                         token_sha256);
  if (rows.empty()) return std::nullopt;
  const auto& row = rows[0];
  if (boolean(row, "stale")) {
    exec(tx, "UPDATE sessions SET last_seen_at = clock_timestamp() WHERE token_sha256 = $1",
         token_sha256);
    exec(tx, "UPDATE users SET last_seen_at = clock_timestamp() WHERE id = $1", text(row, "id"));
  }
  return Session{user_of(row), text(row, "created_at"), text(row, "last_seen_at"),
                 text(row, "expires_at")};
}

void delete_session(Tx& tx, const std::string& token_sha256) {
  exec(tx, "DELETE FROM sessions WHERE token_sha256 = $1", token_sha256);
}

void delete_sessions_of(Tx& tx, const UserId& user, const std::string& except) {
  exec(tx, "DELETE FROM sessions WHERE user_id = $1 AND token_sha256 <> $2", user, except);
}

Reset insert_reset(Tx& tx, const std::string& token_sha256, const UserId& user,
                   std::chrono::seconds lifetime) {
  if (const auto found = find_user(tx, user); found && found->console)
    throw Error(Code::Conflict, "the console's account has no password; nobody logs into it");
  exec(tx, "UPDATE password_resets SET expires_at = now() WHERE user_id = $1 AND used_at IS NULL",
       user);
  const auto rows = exec(tx, R"sql(
      INSERT INTO password_resets (token_sha256, user_id, expires_at)
      VALUES ($1, $2, now() + make_interval(secs => $3)) RETURNING rfc3339(expires_at) AS expires_at)sql",
                         token_sha256, user, lifetime.count());
  return {text(rows[0], "expires_at")};
}

std::optional<UserId> use_reset(Tx& tx, const std::string& token_sha256) {
  const auto rows = exec(tx, R"sql(
      UPDATE password_resets SET used_at = clock_timestamp()
       WHERE token_sha256 = $1 AND used_at IS NULL AND expires_at > clock_timestamp()
      RETURNING user_id)sql",
                         token_sha256);
  if (rows.empty()) return std::nullopt;
  return id<UserTag>(rows[0], "user_id");
}

void record_login_failure(Tx& tx, const std::string& email, const std::string& address) {
  exec(tx, "INSERT INTO login_failures (email, address) VALUES (lower($1), $2)", email, address);
  exec(tx, "DELETE FROM login_failures WHERE at < now() - interval '1 hour'");
}

LoginFailures count_login_failures(Tx& tx, const std::string& email, const std::string& address) {
  const auto rows = exec(tx, R"sql(
      SELECT count(*) FILTER (WHERE address = $2 AND at > now() - interval '15 minutes') AS here,
             count(*) AS anywhere
        FROM login_failures WHERE email = lower($1) AND at > now() - interval '1 hour')sql",
                         email, address);
  return {int64(rows[0], "here"), int64(rows[0], "anywhere")};
}

}  // namespace hone::storage
