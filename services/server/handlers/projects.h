// Projects, their prompts and the bases that answer them.
#pragma once

#include "services/server/routes.h"

namespace hone::server {

/// GET /api/v1/projects
net::awaitable<Response> list_projects(App& app, Caller caller, Request request);
/// POST /api/v1/projects: 201; 409 when the team has one of that slug.
net::awaitable<Response> post_project(App& app, Caller caller, Request request);
/// GET /api/v1/projects/{id}
net::awaitable<Response> get_project(App& app, Caller caller, Request request);
/// PATCH /api/v1/projects/{id}: name, guideline (a new version), settings.
net::awaitable<Response> patch_project(App& app, Caller caller, Request request);
/// GET /api/v1/projects/{id}/prompts
net::awaitable<Response> list_prompts(App& app, Caller caller, Request request);
/// GET /api/v1/projects/{id}/progress: of the project and of the caller in it.
net::awaitable<Response> get_progress(App& app, Caller caller, Request request);
/// GET /api/v1/bases
net::awaitable<Response> list_bases(App& app, Caller caller, Request request);

}  // namespace hone::server
