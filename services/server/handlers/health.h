// GET /health and /ready: what a supervisor or a person asks first.
#pragma once

#include "services/server/routes.h"

namespace hone::server {

/// GET /api/v1/health: 200 as long as the process answers.
net::awaitable<Response> get_health(App& app, Caller caller, Request request);
/// GET /api/v1/ready: 200 `ok` or, without Redis, `degraded`; 503 without the database.
net::awaitable<Response> get_ready(App& app, Caller caller, Request request);

}  // namespace hone::server
