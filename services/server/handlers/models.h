// The registry: models, their versions, and every published byte for download.
#pragma once

#include "services/server/routes.h"

namespace hone::server {

/// GET /api/v1/models
net::awaitable<Response> list_models(App& app, Caller caller, Request request);
/// GET /api/v1/models/{name}: with its versions, newest first.
net::awaitable<Response> get_model(App& app, Caller caller, Request request);
/// GET /api/v1/models/{name}/versions/{n}
net::awaitable<Response> get_version(App& app, Caller caller, Request request);
/// GET /api/v1/models/{name}/versions/{n}/files/{path...}: one file; Range is honoured.
net::awaitable<Response> get_version_file(App& app, Caller caller, Request request);
/// GET /api/v1/models/{name}/versions/{n}/archive/{folder}: hf, adapter or hone as one tar.
net::awaitable<Response> get_version_archive(App& app, Caller caller, Request request);

}  // namespace hone::server
