#include "storage/repo/tokens.h"

#include <algorithm>

#include "feedback/base/error.h"
#include "storage/postgres/exec.h"

namespace hone::storage {
namespace {

Token token_of(const pqxx::row& row) {
  return {.id = text(row, "id"),
          .name = text(row, "name"),
          .hint = text(row, "hint"),
          .role = parse_role(text(row, "role")),
          .created_by = id<UserTag>(row, "created_by"),
          .created_at = text(row, "created_at"),
          .expires_at = text(row, "expires_at"),
          .last_used_at = maybe_text(row, "last_used_at")};
}

}  // namespace

Token insert_token(Tx& tx, const NewToken& given) {
  const auto rows = exec(tx, R"sql(
      INSERT INTO api_tokens (name, role, token_sha256, hint, created_by, expires_at)
      VALUES ($1, $2, $3, $4, $5, now() + make_interval(days => $6))
      RETURNING id, name, hint, role, created_by, rfc3339(created_at) AS created_at,
                rfc3339(expires_at) AS expires_at, NULL AS last_used_at)sql",
                         given.name, to_string(given.role), given.token_sha256, given.hint,
                         given.created_by, given.expires_in_days);
  return token_of(rows[0]);
}

std::vector<Token> list_tokens(Tx& tx, const std::optional<UserId>& only) {
  std::vector<Token> tokens;
  for (const auto& row : exec(tx, R"sql(
      SELECT id, name, hint, role, created_by, rfc3339(created_at) AS created_at,
             rfc3339(expires_at) AS expires_at, rfc3339(last_used_at) AS last_used_at
        FROM api_tokens
       WHERE team_id = $1 AND revoked_at IS NULL AND expires_at > now()
         AND ($2::uuid IS NULL OR created_by = $2)
       ORDER BY id DESC)sql",
                              tx.team(), only))
    tokens.push_back(token_of(row));
  return tokens;
}

void revoke_token(Tx& tx, const std::string& token, const std::optional<UserId>& only) {
  const auto rows = exec(tx, R"sql(
      UPDATE api_tokens SET revoked_at = clock_timestamp()
       WHERE team_id = $1 AND id = $2 AND revoked_at IS NULL AND ($3::uuid IS NULL OR created_by = $3))sql",
                         tx.team(), token, only);
  if (rows.affected_rows() == 0) throw Error(Code::NotFound, "no such token");
}

std::optional<TokenOwner> find_token(Tx& tx, const std::string& token_sha256) {
  const auto rows = exec(tx, "SELECT * FROM find_api_token($1)", token_sha256);
  if (rows.empty()) return std::nullopt;
  const auto& row = rows[0];
  TokenOwner owner;
  owner.token_id = text(row, "token_id");
  owner.team = {id<TeamTag>(row, "team_id"), text(row, "slug"), text(row, "team_name")};
  owner.user.id = id<UserTag>(row, "user_id");
  owner.user.email = text(row, "email");
  owner.user.name = text(row, "name");
  owner.user.instance_admin = boolean(row, "instance_admin");
  owner.role = std::min(parse_role(text(row, "token_role")), parse_role(text(row, "member_role")));
  return owner;
}

}  // namespace hone::storage
