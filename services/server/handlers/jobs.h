// Jobs of a project: sampling answers, judging by a critic, and reading or cancelling any job.
#pragma once

#include "services/server/routes.h"

namespace hone::server {

/// POST /api/v1/projects/{id}/samples: 202 with the job that draws 2 to 4 answers a prompt.
net::awaitable<Response> post_sample(App& app, Caller caller, Request request);
/// POST /api/v1/projects/{id}/judge: 202 with the job that judges what this critic has not yet.
net::awaitable<Response> post_judge(App& app, Caller caller, Request request);
/// GET /api/v1/jobs?project=&kind=
net::awaitable<Response> list_jobs(App& app, Caller caller, Request request);
/// GET /api/v1/jobs/{id}
net::awaitable<Response> get_job(App& app, Caller caller, Request request);
/// POST /api/v1/jobs/{id}/cancel; 409 when it has ended.
net::awaitable<Response> cancel_job(App& app, Caller caller, Request request);
/// GET /api/v1/jobs/{id}/events: server-sent or as a list.
net::awaitable<Response> get_job_events(App& app, Caller caller, Request request);

}  // namespace hone::server
