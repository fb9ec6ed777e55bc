// From a request's credentials to its Caller, and the proofs that a cookie alone does not give.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "services/httpd/policy.h"
#include "services/httpd/request.h"
#include "services/server/auth/caller.h"
#include "storage/postgres/tx.h"

namespace hone::server {

struct App;

inline constexpr std::string_view kCookie = "__Host-hone";

/// What the request shows: a bearer token (cookies are then ignored) or a login's cookie.
struct Credential {
  Caller::By by = Caller::By::Nobody;
  std::string sha256;       ///< of the secret
  std::string team_wanted;  ///< X-Hone-Team, of a cookie only
};

/// Nobody when there is none, or when a token's checksum is wrong. Reads no database.
Credential credential_of(const httpd::Request& request);

/// Who that is now; nullopt when the login or token is unknown, over or revoked. Throws NotFound
/// when a team was wanted in which the person is not.
std::optional<Caller> find_caller(storage::Tx& tx, const Credential& credential);

/// Throws Unauthenticated or Forbidden unless the caller is at least what the policy wants.
void require(const httpd::Policy& policy, const Caller& caller);

/// For unsafe methods by cookie: X-Hone-CSRF, and an Origin or Sec-Fetch-Site of this site. Throws
/// Forbidden. Bearer requests need none: no page can make a browser send one.
void require_same_site(const App& app, const httpd::Request& request, const Caller& caller);

/// For public routes that act (login, invitation): an Origin, where there is one, of this site.
void refuse_foreign_origin(const App& app, const httpd::Request& request);

}  // namespace hone::server
