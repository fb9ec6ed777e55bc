// Who is asking: what authentication found out, handed to every handler.
#pragma once

#include <string>
#include <string_view>

#include "feedback/base/id.h"

namespace hone::server {

/// In a team; each includes the ones before it.
enum class Role { Annotator, Reviewer, Engineer, Admin };

std::string_view to_string(Role role);
/// Throws Error{Invalid} for another word.
Role parse_role(std::string_view word);

struct Caller {
  enum class By { Nobody, Cookie, Token };

  By by = By::Nobody;        ///< Nobody only on public routes
  UserId user;
  TeamId team;               ///< the one team of this request; empty when the person is in none
  Role role = Role::Annotator;
  bool instance_admin = false;
  std::string credential;    ///< SHA-256 (hex) of the login or token: never the secret itself

  bool signed_in() const { return by != By::Nobody; }
  bool at_least(Role least) const { return signed_in() && !team.value.empty() && role >= least; }
};

}  // namespace hone::server
