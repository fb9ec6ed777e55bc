// One-time links: shown once, stored as a hash. The secret stands behind `#`, so it reaches no
// server log and no Referer.
#pragma once

#include <string>

#include "services/server/app.h"
#include "services/server/auth/digest.h"
#include "services/shared/token.h"
#include "storage/repo/invitations.h"
#include "storage/repo/users.h"

namespace hone::server {

struct Link {
  std::string url, expires_at;
};

inline Link join_link(const std::string& public_url, const std::string& token,
                      const storage::Invitation& invitation) {
  return {public_url + "/#/join/" + token, invitation.expires_at};
}

/// A reset link of the person; earlier ones stop working.
inline Link make_reset_link(App& app, storage::Tx& tx, const UserId& user) {
  const auto token = shared::new_token("rst", app.random);
  const auto reset = storage::insert_reset(tx, sha256_hex(token), user);
  return {app.public_url + "/#/reset/" + token, reset.expires_at};
}

/// For an instance without people: a link that makes its holder the first administrator, good for a
/// day. Makes the team `default` when there is none. Empty when somebody is there already.
std::string make_setup_link(storage::Pool& pool, Random& random, const std::string& public_url);

}  // namespace hone::server
