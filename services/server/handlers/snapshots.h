// Snapshots of a project's judgments.
#pragma once

#include "services/server/routes.h"

namespace hone::server {

/// POST /api/v1/projects/{id}/snapshots: 201; 200 with the first one when nothing has changed
/// since; 422 when there is no pair to train on.
net::awaitable<Response> post_snapshot(App& app, Caller caller, Request request);
/// GET /api/v1/projects/{id}/snapshots, newest first.
net::awaitable<Response> list_snapshots(App& app, Caller caller, Request request);
/// GET /api/v1/snapshots/{id}
net::awaitable<Response> get_snapshot(App& app, Caller caller, Request request);
/// GET /api/v1/snapshots/{id}/rows: the JSONL artifact; Range is honoured.
net::awaitable<Response> get_snapshot_rows(App& app, Caller caller, Request request);

}  // namespace hone::server
