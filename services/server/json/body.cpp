#include "services/server/json/body.h"

#include <nlohmann/json.hpp>

#include "feedback/base/error.h"
#include "services/shared/json.h"

namespace hone::server {

nlohmann::json parse_body(const httpd::Request& request) {
  if (request.body.empty()) return nlohmann::json::object();
  auto value = shared::parse_json(request.body);
  if (!value.is_object()) throw Error(Code::Invalid, "the body must be a JSON object");
  return value;
}

httpd::Response reply(const nlohmann::json& value, httpd::http::status status) {
  return httpd::Response(status, value.dump());
}

}  // namespace hone::server
