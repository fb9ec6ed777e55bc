// The people of the caller's team. Nobody is ever deleted: their judgments stay.
#pragma once

#include "services/server/routes.h"

namespace hone::server {

/// GET /users
net::awaitable<Response> get_users(App& app, Caller caller, Request request);
/// PATCH /users/{id} {role}: the person's logins end, so the new role holds at once.
net::awaitable<Response> patch_user(App& app, Caller caller, Request request);
/// POST /users/{id}/deactivate: logins, streams and tokens of the team end. Again: no change.
net::awaitable<Response> post_user_deactivate(App& app, Caller caller, Request request);
/// POST /users/{id}/activate
net::awaitable<Response> post_user_activate(App& app, Caller caller, Request request);
/// POST /users/{id}/reset: a one-time link to set a new password. Only where the caller is admin of
/// every team the person is in: a password opens all of them.
net::awaitable<Response> post_user_reset(App& app, Caller caller, Request request);

}  // namespace hone::server
