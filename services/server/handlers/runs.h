// Training runs: started, followed, cancelled.
#pragma once

#include "services/server/routes.h"

namespace hone::server {

/// POST /api/v1/runs: 201 with the run, its spec resolved; 422 naming what cannot be carried out.
net::awaitable<Response> post_run(App& app, Caller caller, Request request);
/// GET /api/v1/runs?project=
net::awaitable<Response> list_runs(App& app, Caller caller, Request request);
/// GET /api/v1/runs/{id}
net::awaitable<Response> get_run(App& app, Caller caller, Request request);
/// POST /api/v1/runs/{id}/cancel; 409 when it has ended.
net::awaitable<Response> cancel_run(App& app, Caller caller, Request request);
/// GET /api/v1/runs/{id}/events: server-sent or as a list.
net::awaitable<Response> get_run_events(App& app, Caller caller, Request request);

}  // namespace hone::server
