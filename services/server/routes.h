// The shape of the route table's rows; the table itself is routes.cpp.
#pragma once

#include <string_view>
#include <vector>

#include "services/httpd/policy.h"
#include "services/httpd/request.h"
#include "services/httpd/response.h"
#include "services/server/auth/caller.h"

namespace hone::server {

struct App;
namespace net = httpd::net;
namespace http = httpd::http;
using httpd::Method;
using httpd::Request;
using httpd::Response;

/// A handler parses, acts and answers. It runs after the policy was met; it throws hone::Error for
/// what the caller did wrong. Every parameter is a value: the coroutine outlives its caller.
using Handler = net::awaitable<Response> (*)(App& app, Caller caller, Request request);

struct Route {
  Method method;
  std::string_view path;
  httpd::Policy policy;  // has no default: a row without one does not compile
  Handler handler;
  std::string_view summary;  ///< one sentence for /openapi.json
};

/// Every route that this server answers under /api, /v1 and /openapi.json.
const std::vector<Route>& routes();

}  // namespace hone::server
