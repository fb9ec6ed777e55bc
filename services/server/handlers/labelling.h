// The labelling act: take comparisons, hold them, answer, undo.
#pragma once

#include "services/server/routes.h"

namespace hone::server {

/// POST /api/v1/projects/{id}/queue/next: up to three comparisons on lease, sides as drawn.
net::awaitable<Response> post_queue_next(App& app, Caller caller, Request request);
/// POST /api/v1/assignments/renew: prolongs the caller's own leases.
net::awaitable<Response> renew_assignments(App& app, Caller caller, Request request);
/// POST /api/v1/assignments/{id}/release: gives the slot back; 204.
net::awaitable<Response> release_assignment(App& app, Caller caller, Request request);
/// POST /api/v1/assignments/{id}/judgments: 201; 200 with the same id for a resend; 422 when the
/// key was spent on another answer; 404 when the assignment is not the caller's.
net::awaitable<Response> post_judgment(App& app, Caller caller, Request request);
/// POST /api/v1/judgments/{id}/retract: the comparison again, same sides, with the answer taken
/// back.
net::awaitable<Response> retract_judgment(App& app, Caller caller, Request request);
/// GET /api/v1/me/stats?project=
net::awaitable<Response> get_my_stats(App& app, Caller caller, Request request);
/// GET /api/v1/me/judgments?project=
net::awaitable<Response> list_my_judgments(App& app, Caller caller, Request request);

}  // namespace hone::server
