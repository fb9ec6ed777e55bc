// API tokens of the caller's team: made by people, shown once, revoked by their makers or an admin.
#pragma once

#include "services/server/routes.h"

namespace hone::server {

/// GET /tokens: one's own; an admin sees the team's.
net::awaitable<Response> get_tokens(App& app, Caller caller, Request request);
/// POST /tokens {name, role, expires_in_days}: `token` stands in this reply only. Not by a token: a
/// key that makes keys could not be revoked.
net::awaitable<Response> post_token(App& app, Caller caller, Request request);
/// DELETE /tokens/{id}: requests and streams with it end within 5 s.
net::awaitable<Response> delete_token(App& app, Caller caller, Request request);

}  // namespace hone::server
