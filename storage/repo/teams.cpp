#include "storage/repo/teams.h"

#include "feedback/base/error.h"
#include "storage/ids.h"
#include "storage/postgres/exec.h"

namespace hone::storage {
namespace {

constexpr const char* kRoles[] = {"annotator", "reviewer", "engineer", "admin"};

Team team_of(const pqxx::row& row) {
  return {id<TeamTag>(row, "team_id"), text(row, "slug"), text(row, "name")};
}

Member member_of(const pqxx::row& row) {
  return {.id = id<UserTag>(row, "user_id"),
          .email = text(row, "email"),
          .name = text(row, "name"),
          .role = parse_role(text(row, "role")),
          .active = boolean(row, "active"),
          .last_seen_at = maybe_text(row, "last_seen_at"),
          .created_at = text(row, "created_at")};
}

/// Called after a change, in its transaction: the lock on the team's row keeps two admins from
/// removing each other at once.
void keep_an_admin(Tx& tx) {
  exec(tx, "SELECT FROM teams WHERE team_id = $1 FOR UPDATE", tx.team());
  const auto left = exec(tx, R"sql(
      SELECT count(*) AS n FROM memberships m JOIN users u ON u.id = m.user_id
       WHERE m.team_id = $1 AND m.role = 'admin' AND m.active AND u.active AND NOT u.console)sql",
                         tx.team());
  if (int64(left[0], "n") == 0)
    throw Error(Code::Conflict, "a team keeps at least one active admin");
}

}  // namespace

std::string to_string(Role role) { return kRoles[static_cast<int>(role)]; }

Role parse_role(const std::string& text) {
  for (int i = 0; i < 4; ++i)
    if (text == kRoles[i]) return static_cast<Role>(i);
  throw Error(Code::Invalid, "a role is annotator, reviewer, engineer or admin", "/role");
}

TeamId insert_team(Tx& tx, const std::string& slug, const std::string& name) {
  const TeamId team{new_uuid()};
  tx.set_team(team);
  const auto rows = exec(tx, R"sql(
      INSERT INTO teams (team_id, slug, name) VALUES ($1, $2, $3) ON CONFLICT (slug) DO NOTHING)sql",
                         team, slug, name);
  if (rows.affected_rows() == 0)
    throw Error(Code::Conflict, "there is a team of that name", "/slug");
  return team;
}

Team get_team(Tx& tx) {
  const auto rows = exec(tx, "SELECT team_id, slug, name FROM teams WHERE team_id = $1", tx.team());
  if (rows.empty()) throw Error(Code::NotFound, "no such team");
  return team_of(rows[0]);
}

std::vector<Team> list_teams(Tx& tx) {
  std::vector<Team> teams;
  for (const auto& row : exec(tx, "SELECT team_id, slug, name FROM all_teams()"))
    teams.push_back(team_of(row));
  return teams;
}

std::vector<TeamOfUser> list_teams_of(Tx& tx, const UserId& user) {
  std::vector<TeamOfUser> teams;
  for (const auto& row : exec(tx, "SELECT team_id, slug, name, role FROM teams_of_user($1)", user))
    teams.push_back({team_of(row), parse_role(text(row, "role"))});
  return teams;
}

std::optional<Role> find_role(Tx& tx, const UserId& user) {
  const auto rows = exec(tx, R"sql(
      SELECT role FROM memberships WHERE team_id = $1 AND user_id = $2 AND active)sql",
                         tx.team(), user);
  if (rows.empty()) return std::nullopt;
  return parse_role(text(rows[0], "role"));
}

void insert_member(Tx& tx, const UserId& user, Role role) {
  const auto rows = exec(tx, R"sql(
      INSERT INTO memberships (user_id, role) VALUES ($1, $2) ON CONFLICT DO NOTHING)sql",
                         user, to_string(role));
  if (rows.affected_rows() == 0) throw Error(Code::Conflict, "this person is in the team already");
}

constexpr const char* kMembers = R"sql(
    SELECT m.user_id, u.email, u.name, m.role, m.active AND u.active AS active,
           rfc3339(u.last_seen_at) AS last_seen_at, rfc3339(m.created_at) AS created_at
      FROM memberships m JOIN users u ON u.id = m.user_id
     WHERE m.team_id = $1 AND ($2::uuid IS NULL OR m.user_id = $2)
     ORDER BY lower(u.name), u.id)sql";

std::vector<Member> list_members(Tx& tx) {
  std::vector<Member> members;
  for (const auto& row : exec(tx, kMembers, tx.team(), std::nullopt))
    members.push_back(member_of(row));
  return members;
}

Member get_member(Tx& tx, const UserId& user) {
  const auto rows = exec(tx, kMembers, tx.team(), user);
  if (rows.empty()) throw Error(Code::NotFound, "no such person in this team");
  return member_of(rows[0]);
}

void set_member_role(Tx& tx, const UserId& user, Role role) {
  const auto rows = exec(tx, "UPDATE memberships SET role = $3 WHERE team_id = $1 AND user_id = $2",
                         tx.team(), user, to_string(role));
  if (rows.affected_rows() == 0) throw Error(Code::NotFound, "no such person in this team");
  keep_an_admin(tx);
}

void set_member_active(Tx& tx, const UserId& user, bool active) {
  const auto rows =
      exec(tx, "UPDATE memberships SET active = $3 WHERE team_id = $1 AND user_id = $2", tx.team(),
           user, active);
  if (rows.affected_rows() == 0) throw Error(Code::NotFound, "no such person in this team");
  if (active) return;
  keep_an_admin(tx);
  exec(tx, "DELETE FROM sessions WHERE user_id = $1", user);
  exec(tx, R"sql(UPDATE api_tokens SET revoked_at = clock_timestamp()
                  WHERE team_id = $1 AND created_by = $2 AND revoked_at IS NULL)sql",
       tx.team(), user);
}

}  // namespace hone::storage
