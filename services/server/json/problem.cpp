#include "services/server/json/problem.h"

#include <nlohmann/json.hpp>

namespace hone::server {

using httpd::Problem;
using httpd::http::status;

namespace {

std::string_view type_of(status code) {
  switch (code) {
    case status::unauthorized:
      return "authentication_error";
    case status::forbidden:
      return "permission_error";
    case status::too_many_requests:
      return "rate_limit_error";
    default:
      return static_cast<unsigned>(code) >= 500 ? "server_error" : "invalid_request_error";
  }
}

std::string_view word_of(status code) {
  switch (code) {
    case status::bad_request:
      return "bad_request";
    case status::unauthorized:
      return "unauthenticated";
    case status::forbidden:
      return "forbidden";
    case status::not_found:
      return "not_found";
    case status::method_not_allowed:
      return "method_not_allowed";
    case status::request_timeout:
      return "too_slow";
    case status::conflict:
      return "conflict";
    case status::payload_too_large:
      return "body_too_large";
    case status::unsupported_media_type:
      return "unsupported_media_type";
    case status::range_not_satisfiable:
      return "range_not_satisfiable";
    case status::unprocessable_entity:
      return "invalid";
    case status::too_many_requests:
      return "too_many_requests";
    case status::request_header_fields_too_large:
      return "header_too_large";
    case status::service_unavailable:
      return "busy";
    default:
      return static_cast<unsigned>(code) >= 500 ? "internal" : "refused";
  }
}

}  // namespace

status status_of(Code code) {
  switch (code) {
    case Code::Invalid:
      return status::unprocessable_entity;
    case Code::Unauthenticated:
      return status::unauthorized;
    case Code::Forbidden:
      return status::forbidden;
    case Code::NotFound:
      return status::not_found;
    case Code::Conflict:
      return status::conflict;
    case Code::Busy:
      return status::service_unavailable;
  }
  return status::internal_server_error;
}

httpd::Response to_response(const Error& error) {
  Problem problem;
  problem.detail = error.detail();
  if (!error.pointer().empty() || error.line() > 0)
    problem.items.push_back({error.pointer(), error.line(), error.detail()});
  auto response = httpd::Response::problem(status_of(error.code()), std::move(problem));
  if (error.code() == Code::Busy) response.with("Retry-After", "1");
  if (error.code() == Code::Unauthenticated) response.with("WWW-Authenticate", "Bearer");
  return response;
}

std::string problem_json(const Problem& problem, status code, const httpd::Request& request) {
  using nlohmann::ordered_json;
  const auto word = problem.code.empty() ? std::string(word_of(code)) : problem.code;
  ordered_json errors = ordered_json::array();
  for (const auto& item : problem.items) {
    ordered_json one;
    one["pointer"] = item.pointer;
    one["line"] = item.line > 0 ? ordered_json(item.line) : ordered_json(nullptr);
    one["detail"] = item.detail;
    errors.push_back(std::move(one));
  }
  const auto param = problem.items.empty() || problem.items.front().pointer.empty()
                         ? ordered_json(nullptr)
                         : ordered_json(problem.items.front().pointer);
  ordered_json body;
  body["type"] = "about:blank";  // the status says it all; `error.code` is the stable word
  body["title"] = std::string(httpd::http::obsolete_reason(code));
  body["status"] = static_cast<unsigned>(code);
  body["detail"] = problem.detail;
  body["instance"] = request.path;
  body["error"] = {
      {"message", problem.detail}, {"type", type_of(code)}, {"param", param}, {"code", word}};
  body["errors"] = std::move(errors);
  if (!problem.extra.empty()) {
    const auto extra = ordered_json::parse(problem.extra);
    for (const auto& [name, value] : extra.items()) body[name] = value;
  }
  // A path is decoded and clean UTF-8; a message may quote what was sent.
  return body.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace hone::server
