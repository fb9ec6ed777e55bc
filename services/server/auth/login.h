// Beginning and ending logins: the cookie, the session row, the reply that the page starts from.
#pragma once

#include <string>

#include "services/httpd/request.h"
#include "services/httpd/response.h"
#include "services/server/app.h"
#include "services/server/auth/caller.h"
#include "storage/postgres/tx.h"

namespace hone::server {

/// {"user","team","teams","csrf"} of the person who holds this login; `team` is the one that
/// requests without X-Hone-Team act in, null for a person in no team.
std::string session_json(const App& app, storage::Tx& tx, const UserId& user,
                         const std::string& login, const TeamId& team);

struct NewLogin {
  std::string cookie;  ///< the secret, for Set-Cookie only
  std::string login;   ///< its SHA-256
};

/// A fresh login of 256 random bits, in the caller's transaction.
NewLogin begin_login(App& app, storage::Tx& tx, const UserId& user);

/// Sets the cookie on a reply; the empty secret takes it away.
void set_login_cookie(httpd::Response& response, const std::string& secret);

}  // namespace hone::server
