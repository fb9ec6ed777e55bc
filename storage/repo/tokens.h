// API tokens: a key of one team, shown once. Only its SHA-256 is stored.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "storage/repo/teams.h"
#include "storage/repo/users.h"

namespace hone::storage {

struct NewToken {
  std::string name{};
  Role role = Role::Engineer;
  std::string token_sha256{};
  std::string hint{};  ///< its first characters, to tell keys apart in a list
  int expires_in_days = 90;
  UserId created_by{};
};

struct Token {
  std::string id, name, hint;
  Role role = Role::Engineer;
  UserId created_by;
  std::string created_at, expires_at;
  std::optional<std::string> last_used_at;
};

/// Who a presented key speaks for.
struct TokenOwner {
  std::string token_id;
  Team team;
  User user;                    ///< its maker
  Role role = Role::Annotator;  ///< the lesser of the key's and the maker's present role
};

Token insert_token(Tx& tx, const NewToken& given);
/// The live keys of the team, newest first. `only` limits to one maker's.
std::vector<Token> list_tokens(Tx& tx, const std::optional<UserId>& only = {});
/// NotFound when the team has no such live key.
void revoke_token(Tx& tx, const std::string& id, const std::optional<UserId>& only = {});
/// Needs no team (it tells it). nullopt when unknown, revoked, over, or its maker is no longer an
/// active member. Notes the use at most once a minute.
std::optional<TokenOwner> find_token(Tx& tx, const std::string& token_sha256);

}  // namespace hone::storage
