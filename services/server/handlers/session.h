// Signing in and out, and one's own password.
#pragma once

#include "services/server/routes.h"

namespace hone::server {

/// POST /session {email, password}: a login and its cookie. 401 with one text for an unknown person
/// and a wrong password; 429 after too many failures; 503 when too many hashes wait.
net::awaitable<Response> post_session(App& app, Caller caller, Request request);
/// GET /session: who I am, my teams, and the CSRF value of this login (null for a token).
net::awaitable<Response> get_session(App& app, Caller caller, Request request);
/// DELETE /session: ends this login.
net::awaitable<Response> delete_session(App& app, Caller caller, Request request);
/// DELETE /sessions: ends every login of mine, this one too.
net::awaitable<Response> delete_sessions(App& app, Caller caller, Request request);
/// PUT /password {current, password}: every login ends and this one is replaced by a new one.
net::awaitable<Response> put_password(App& app, Caller caller, Request request);
/// POST /password/reset {token, password}: spends a one-time link; a fresh login.
net::awaitable<Response> post_password_reset(App& app, Caller caller, Request request);

}  // namespace hone::server
