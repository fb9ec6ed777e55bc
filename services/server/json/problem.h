// One body that is both RFC 9457 and what OpenAI's clients read: on every refusal and failure.
#pragma once

#include <string>

#include "feedback/base/error.h"
#include "services/httpd/request.h"
#include "services/httpd/response.h"

namespace hone::server {

/// The one switch from a kind of failure to a status.
httpd::http::status status_of(Code code);

/// As a reply, with pointer and line among its `errors`. Busy carries Retry-After.
httpd::Response to_response(const Error& error);

/// The text of a problem:
/// {"type","title","status","detail","instance","error":{...},"errors":[...]}.
std::string problem_json(const httpd::Problem& problem, httpd::http::status status,
                         const httpd::Request& request);

}  // namespace hone::server
