// A job's events to a browser or a CLI: as a live stream with replay, or as a list.
#pragma once

#include "services/httpd/request.h"
#include "services/httpd/response.h"
#include "services/server/app.h"
#include "services/server/auth/caller.h"

namespace hone::server {

/// True when the request's Accept asks for `text/event-stream`.
bool wants_event_stream(const httpd::Request& request);

/// GET .../events for runs and jobs alike. The caller of this has already seen that the job exists
/// in the caller's team (NotFound otherwise). Server-sent events when asked for, from
/// `Last-Event-ID` or `?after_seq=` on: stored events first, then live ones, `event: end` when the
/// job is final. Ends within 5 s after the login or token stops being good. Else the JSON list.
net::awaitable<httpd::Response> job_events(App& app, Caller caller, httpd::Request request,
                                           JobId job);

}  // namespace hone::server
