#include "services/server/auth/links.h"

#include "storage/repo/teams.h"

namespace hone::server {

std::string make_setup_link(storage::Pool& pool, Random& random, const std::string& public_url) {
  return pool.transact([&](storage::Tx& tx) -> std::string {
    if (storage::count_people(tx) > 0) return "";
    const auto teams = storage::list_teams(tx);
    if (teams.empty())
      storage::insert_team(tx, "default", "Default");
    else
      tx.set_team(teams.front().id);
    const auto token = shared::new_token("inv", random);
    storage::NewInvitation invitation;
    invitation.token_sha256 = sha256_hex(token);
    invitation.role = storage::Role::Admin;
    invitation.instance_admin = true;
    invitation.lifetime = std::chrono::hours(24);
    return join_link(public_url, token, storage::insert_invitation(tx, invitation)).url;
  });
}

}  // namespace hone::server
