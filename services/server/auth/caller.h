// Who is asking: what authentication found out, handed to every handler.
#pragma once

#include <string>

#include "feedback/base/id.h"
#include "storage/repo/teams.h"

namespace hone::server {

/// In a team; each includes the ones before it: Annotator, Reviewer, Engineer, Admin.
using storage::Role;

struct Caller {
  enum class By { Nobody, Cookie, Token };

  By by = By::Nobody;  ///< Nobody only on public routes
  UserId user;
  TeamId team;  ///< the one team of this request; empty when the person is in none
  Role role = Role::Annotator;
  bool instance_admin = false;
  std::string credential;  ///< SHA-256 (hex) of the login or token: never the secret itself
  std::string token_id;    ///< of By::Token

  bool signed_in() const { return by != By::Nobody; }
  /// Whose act it is, in idempotency keys: "user:<id>" or "token:<id>".
  std::string actor() const { return by == By::Token ? "token:" + token_id : "user:" + user.value; }
  bool at_least(Role least) const { return signed_in() && !team.value.empty() && role >= least; }
};

}  // namespace hone::server
