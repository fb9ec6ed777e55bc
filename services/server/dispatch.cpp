#include "services/server/dispatch.h"

#include <chrono>
#include <cstdint>

#include "feedback/base/error.h"
#include "services/server/auth/authenticate.h"
#include "services/server/json/problem.h"
#include "services/shared/log.h"

namespace hone::server {
namespace {

constexpr std::string_view kContentSecurityPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src "
    "'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for "
    "'script'; "
    "trusted-types lit-html dompurify";

bool is_api(std::string_view path) {
  return path.starts_with("/api/") || path.starts_with("/v1/") || path == "/api" || path == "/v1" ||
         path == "/openapi.json";
}

bool is_json(std::string_view content_type) {
  const auto type = content_type.substr(0, content_type.find(';'));
  return type == "application/json" || (type.size() == 17 && type.starts_with("application/json"));
}

std::int64_t milliseconds_since(std::chrono::steady_clock::time_point began) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() -
                                                               began)
      .count();
}

}  // namespace

Dispatch::Dispatch(App& app, StaticFiles& page) : app_(app), page_(page) {
  const auto& table = routes();
  for (std::size_t row = 0; row < table.size(); ++row)
    router_.add(table[row].method, table[row].path, row);
}

net::awaitable<Response> Dispatch::serve(Request request, httpd::BodyReader& body,
                                         bool& signed_in) {
  Response response;
  std::string route;
  // A coroutine cannot await inside a handler of exceptions, and need not: only the reply is made
  // there.
  try {
    response = co_await answer(request, body, signed_in, route);
  } catch (const httpd::RequestRefused& refused) {
    response = Response::problem(refused.status, refused.detail);
  } catch (const Error& error) {
    response = to_response(error);
  } catch (const std::exception& error) {
    // What went wrong inside is for the log; the caller gets the request's name to ask with.
    shared::log_error("request_failed",
                      {{"request", request.id}, {"route", route}, {"why", error.what()}});
    response =
        Response::problem(http::status::internal_server_error,
                          "something went wrong here; the server's log has it under " + request.id);
  }
  if (!route.empty())
    shared::log_info("request", {{"request", request.id},
                                 {"route", route},
                                 {"status", static_cast<unsigned>(response.status)},
                                 {"ms", milliseconds_since(request.began)}});
  co_return response;
}

net::awaitable<Response> Dispatch::answer(Request request, httpd::BodyReader& body, bool& signed_in,
                                          std::string& route) {
  if (!is_api(request.path)) co_return page_.serve(request);

  route = "unknown";
  auto match = router_.find(request.method, request.path);
  if (match.kind == httpd::Router::Match::Kind::NoSuchPath)
    throw Error(Code::NotFound, "there is no such route");
  if (match.kind == httpd::Router::Match::Kind::NoSuchMethod) {
    auto refused = Response::problem(http::status::method_not_allowed,
                                     "this route has other methods: " + match.allow);
    co_return refused.with("Allow", match.allow);
  }
  const auto& row = routes()[match.row];
  route = std::string(to_string(row.method)) + " " + std::string(row.path);
  request.params = std::move(match.params);

  const auto caller = co_await identify(row.policy, request);
  signed_in = caller.signed_in();
  co_await read_body(row.policy, request, body);
  co_return co_await row.handler(app_, caller, std::move(request));
}

// Before the body is read: a stranger cannot make the server take a megabyte first.
net::awaitable<Caller> Dispatch::identify(const httpd::Policy& policy, const Request& request) {
  if (policy.least() == httpd::Least::Anyone) {
    if (httpd::is_unsafe(request.method)) refuse_foreign_origin(app_, request);
    co_return Caller{};
  }
  const auto credential = credential_of(request);
  Caller caller;
  if (credential.by != Caller::By::Nobody) {
    const auto find = [credential](storage::Tx& tx) { return find_caller(tx, credential); };
    const auto found = co_await app_.db.transact(find);
    if (found) caller = *found;
  }
  if (!caller.signed_in()) require(policy, caller);
  require_same_site(app_, request, caller);
  require(policy, caller);
  co_return caller;
}

net::awaitable<void> Dispatch::read_body(const httpd::Policy& policy, Request& request,
                                         httpd::BodyReader& body) {
  if (policy.body() == httpd::Body::File) {
    request.file = co_await body.to_file(app_.config.tmp(), httpd::kFileBodyMax);
    co_return;
  }
  request.body = co_await body.to_memory(httpd::kJsonBodyMax);
  // A form or plain text can be sent by any page without asking; JSON cannot.
  if (!request.body.empty() && !is_json(request.header("content-type")))
    throw httpd::RequestRefused{http::status::unsupported_media_type,
                                "the body must be application/json"};
}

void Dispatch::finish(const Request& request, Response& response) {
  if (const auto* problem = std::get_if<httpd::Problem>(&response.body)) {
    response.body = problem_json(*problem, response.status, request);
    response.content_type = "application/problem+json";
  }
  response.with("x-request-id", request.id)
      .with("X-Content-Type-Options", "nosniff")
      .with("Referrer-Policy", "no-referrer")
      .with("Cross-Origin-Opener-Policy", "same-origin")
      .with("Cross-Origin-Resource-Policy", "same-origin")
      .with("Content-Security-Policy", std::string(kContentSecurityPolicy));
  if (app_.public_url.starts_with("https://"))
    response.with("Strict-Transport-Security", "max-age=31536000");
  bool cache_said = false;
  for (const auto& [name, value] : response.headers)
    cache_said = cache_said || name == "Cache-Control";
  if (!cache_said) response.with("Cache-Control", "no-store");
}

}  // namespace hone::server
