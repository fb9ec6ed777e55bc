// POST under an Idempotency-Key: the act happens once, its reply is given again.
#pragma once

#include <functional>

#include "services/httpd/request.h"
#include "services/httpd/response.h"
#include "services/server/app.h"
#include "services/server/auth/caller.h"

namespace hone::server {

/// Runs `act` in one transaction of the caller's team and replies what it returns. With an
/// `Idempotency-Key` header (16 to 128 printable characters) that reply is stored in the same
/// transaction: the same key and body again get it again; another body is Invalid (422); a first
/// copy still at work is 409 with Retry-After. Without the header it acts each time.
/// `act` returns a text reply; it may run more than once and has no effect outside the transaction.
net::awaitable<httpd::Response> act_once(App& app, Caller caller, httpd::Request request,
                                         std::function<httpd::Response(storage::Tx&)> act);

}  // namespace hone::server
