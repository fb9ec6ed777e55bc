// Invitations: the only way in. One link, one account, one use.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "storage/repo/teams.h"

namespace hone::storage {

struct NewInvitation {
  std::string token_sha256{};
  Role role = Role::Annotator;
  std::string email{};          ///< empty = whoever holds the link
  bool instance_admin = false;  ///< the first administrator's
  std::optional<UserId> created_by{};
  std::chrono::seconds lifetime = std::chrono::hours(24 * 7);
};

struct Invitation {
  std::string id;
  TeamId team;
  std::string email;
  Role role = Role::Annotator;
  bool instance_admin = false;
  std::string created_at, expires_at;
};

/// In the transaction's team.
Invitation insert_invitation(Tx& tx, const NewInvitation& given);
/// The open ones of the team, newest first.
std::vector<Invitation> list_invitations(Tx& tx);
/// NotFound when the team has no such open invitation.
void delete_invitation(Tx& tx, const std::string& id);
/// Needs no team (it tells it; call Tx::set_team next). nullopt when unknown, spent or over.
std::optional<Invitation> find_invitation(Tx& tx, const std::string& token_sha256);
/// Spends it, in its team. False when somebody else was faster.
bool use_invitation(Tx& tx, const std::string& id, const UserId& user);

}  // namespace hone::storage
