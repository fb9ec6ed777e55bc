// People: accounts of the instance, their logins and the links that reset a password. Not team
// data: these tables have no team_id, and nothing here shows what a team holds.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "storage/postgres/tx.h"

namespace hone::storage {

struct User {
  UserId id;
  std::string email, name;
  std::string password_hash;  ///< as given; hashing is the server's
  bool instance_admin = false;
  bool active = true;
  bool console = false;  ///< owns what is made on the console; nobody logs into it
};

struct NewUser {
  std::string email{}, name{}, password_hash{};
  bool instance_admin = false;
  bool console = false;
};

/// Conflict when the address (compared without case) has an account.
UserId insert_user(Tx& tx, const NewUser& given);
std::optional<User> find_user_by_email(Tx& tx, const std::string& email);
std::optional<User> find_user(Tx& tx, const UserId& user);
/// Accounts of people: all but the console's.
std::int64_t count_people(Tx& tx);
/// Sets the hash and ends every session of the person: a login does not outlive its password.
void set_password_hash(Tx& tx, const UserId& user, const std::string& password_hash);
/// Only the hash (a better cost found at login); sessions stay.
void rehash_password(Tx& tx, const UserId& user, const std::string& password_hash);

/// A login. Only the SHA-256 of the cookie is stored.
struct Session {
  User user;
  std::string created_at, last_seen_at, expires_at;
};

struct NewSession {
  std::string token_sha256{};
  UserId user{};
  std::chrono::seconds idle = std::chrono::hours(12);
  std::chrono::seconds absolute = std::chrono::hours(24 * 7);
};

void insert_session(Tx& tx, const NewSession& given);
/// The live login of this cookie and its active user; notes that it was used (at most once a
/// minute, so that reading does not always write). nullopt when unknown, idle too long, or over.
std::optional<Session> find_session(Tx& tx, const std::string& token_sha256);
void delete_session(Tx& tx, const std::string& token_sha256);
/// All of the person's, but `except` (a token_sha256) when given.
void delete_sessions_of(Tx& tx, const UserId& user, const std::string& except = {});

struct Reset {
  std::string expires_at;
};
/// A one-time link to set a password. Earlier unused ones of the person stop working.
Reset insert_reset(Tx& tx, const std::string& token_sha256, const UserId& user,
                   std::chrono::seconds lifetime = std::chrono::hours(24));
/// Spends the link: the user, once; nullopt when unknown, spent or over.
std::optional<UserId> use_reset(Tx& tx, const std::string& token_sha256);

/// Failed logins: counted per account and address, so that guessing can be slowed in every server.
void record_login_failure(Tx& tx, const std::string& email, const std::string& address);
struct LoginFailures {
  std::int64_t account_and_address = 0;  ///< in the last 15 minutes
  std::int64_t account = 0;              ///< in the last hour, from anywhere
};
LoginFailures count_login_failures(Tx& tx, const std::string& email, const std::string& address);

}  // namespace hone::storage
