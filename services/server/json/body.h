// From a request's body to a JSON value, under the limits of every JSON body.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "services/httpd/request.h"
#include "services/httpd/response.h"

namespace hone::server {

/// The body as a JSON object; an empty body is an empty object. Throws Error{Invalid}.
nlohmann::json parse_body(const httpd::Request& request);

/// A reply of one JSON value. Text that is not UTF-8 cannot get here: the database holds none.
httpd::Response reply(const nlohmann::json& value,
                      httpd::http::status status = httpd::http::status::ok);

}  // namespace hone::server
