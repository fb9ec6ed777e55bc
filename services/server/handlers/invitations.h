// Invitations: the only way in.
#pragma once

#include "services/server/routes.h"

namespace hone::server {

/// POST /invitations {email?, role}: a one-time link, shown in this reply only.
net::awaitable<Response> post_invitation(App& app, Caller caller, Request request);
/// GET /invitations: the open ones.
net::awaitable<Response> get_invitations(App& app, Caller caller, Request request);
/// DELETE /invitations/{id}
net::awaitable<Response> delete_invitation(App& app, Caller caller, Request request);
/// POST /invitations/accept {token, name, email, password}: an account and its first login. The
/// e-mail is the invitation's where it names one.
net::awaitable<Response> post_invitation_accept(App& app, Caller caller, Request request);

}  // namespace hone::server
