// Teams and who belongs to them with which role.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "storage/postgres/tx.h"

namespace hone::storage {

/// Roles in a team; each includes those before it.
enum class Role { Annotator, Reviewer, Engineer, Admin };
std::string to_string(Role role);
/// Throws Invalid for an unknown name.
Role parse_role(const std::string& text);

struct Team {
  TeamId id;
  std::string slug, name;
};

struct TeamOfUser {
  Team team;
  Role role = Role::Annotator;
};

struct Member {
  UserId id;
  std::string email, name;
  Role role = Role::Annotator;
  bool active = true;  ///< of the membership; a deactivated person's work stays
  std::optional<std::string> last_seen_at;
  std::string created_at;
};

/// Makes a team and moves the transaction to it (Tx::set_team). Conflict when the slug is taken.
TeamId insert_team(Tx& tx, const std::string& slug, const std::string& name);
/// The transaction's own team.
Team get_team(Tx& tx);
/// All teams of the instance, oldest first; needs no team. For the command line and instance
/// admins.
std::vector<Team> list_teams(Tx& tx);
/// The teams where the user is an active member, oldest membership first; needs no team.
std::vector<TeamOfUser> list_teams_of(Tx& tx, const UserId& user);

/// The active role of `user` in the transaction's team; nullopt when not an active member.
std::optional<Role> find_role(Tx& tx, const UserId& user);
/// Conflict when already a member.
void insert_member(Tx& tx, const UserId& user, Role role);
/// Members of the team, by name. NotFound semantics below: another team's person is not a member.
std::vector<Member> list_members(Tx& tx);
Member get_member(Tx& tx, const UserId& user);
/// Conflict when it would leave the team without an active admin.
void set_member_role(Tx& tx, const UserId& user, Role role);
/// Deactivating also ends the person's sessions and revokes their tokens in this team. Conflict
/// when it would leave the team without an active admin.
void set_member_active(Tx& tx, const UserId& user, bool active);

}  // namespace hone::storage
