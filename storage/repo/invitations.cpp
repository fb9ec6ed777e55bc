#include "storage/repo/invitations.h"

#include "feedback/base/error.h"
#include "storage/postgres/exec.h"

namespace hone::storage {
namespace {

Invitation invitation_of(const pqxx::row& row) {
  return {.id = text(row, "id"),
          .team = id<TeamTag>(row, "team_id"),
          .email = text(row, "email"),
          .role = parse_role(text(row, "role")),
          .instance_admin = boolean(row, "instance_admin"),
          .created_at = text(row, "created"),
          .expires_at = text(row, "expires")};
}

}  // namespace

Invitation insert_invitation(Tx& tx, const NewInvitation& given) {
  const auto rows = exec(tx, R"sql(
      INSERT INTO invitations (token_sha256, email, role, instance_admin, created_by, expires_at)
      VALUES ($1, nullif($2, ''), $3, $4, $5, now() + make_interval(secs => $6))
      RETURNING *, rfc3339(created_at) AS created, rfc3339(expires_at) AS expires)sql",
                         given.token_sha256, given.email, to_string(given.role),
                         given.instance_admin, given.created_by, given.lifetime.count());
  return invitation_of(rows[0]);
}

std::vector<Invitation> list_invitations(Tx& tx) {
  std::vector<Invitation> open;
  for (const auto& row : exec(tx, R"sql(
      SELECT *, rfc3339(created_at) AS created, rfc3339(expires_at) AS expires FROM invitations
       WHERE team_id = $1 AND used_at IS NULL AND revoked_at IS NULL AND expires_at > now()
       ORDER BY id DESC)sql",
                              tx.team()))
    open.push_back(invitation_of(row));
  return open;
}

void delete_invitation(Tx& tx, const std::string& invitation) {
  const auto rows = exec(tx, R"sql(
      UPDATE invitations SET revoked_at = clock_timestamp()
       WHERE team_id = $1 AND id = $2 AND used_at IS NULL AND revoked_at IS NULL)sql",
                         tx.team(), invitation);
  if (rows.affected_rows() == 0) throw Error(Code::NotFound, "no such open invitation");
}

std::optional<Invitation> find_invitation(Tx& tx, const std::string& token_sha256) {
  const auto rows = exec(tx, R"sql(
      SELECT *, rfc3339(created_at) AS created, rfc3339(expires_at) AS expires
        FROM find_invitation($1))sql",
                         token_sha256);
  if (rows.empty()) return std::nullopt;
  return invitation_of(rows[0]);
}

bool use_invitation(Tx& tx, const std::string& invitation, const UserId& user) {
  return exec(tx, R"sql(
      UPDATE invitations SET used_at = clock_timestamp(), used_by = $3
       WHERE team_id = $1 AND id = $2 AND used_at IS NULL AND revoked_at IS NULL
         AND expires_at > clock_timestamp())sql",
              tx.team(), invitation, user)
             .affected_rows() == 1;
}

}  // namespace hone::storage
