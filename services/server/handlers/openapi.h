// GET /openapi.json: the route table, described.
#pragma once

#include <string>

#include "services/server/routes.h"

namespace hone::server {

net::awaitable<Response> get_openapi(App& app, Caller caller, Request request);

/// OpenAPI 3.1 of every row: paths, parameters, who may call, what bodies are.
std::string openapi_json();

}  // namespace hone::server
