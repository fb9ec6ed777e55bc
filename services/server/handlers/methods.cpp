#include "services/server/handlers/methods.h"

#include <nlohmann/json.hpp>

#include "feedback/training/methods.h"
#include "services/shared/settings_json.h"

namespace hone::server {

using nlohmann::ordered_json;

std::string methods_json() {
  auto data = ordered_json::array();
  for (const auto& method : feedback::methods())
    data.push_back({{"name", method.name},
                    {"family", feedback::to_string(method.family)},
                    {"what", method.what},
                    {"formula", method.formula},
                    {"hyperparameters", shared::schema_json(method)}});
  return ordered_json{{"data", data}, {"has_more", false}, {"next", nullptr}}.dump();
}

net::awaitable<Response> get_methods(App&, Caller, Request) {
  static const std::string text = methods_json();  // the build's, and the same for everybody
  co_return Response(http::status::ok, text);
}

}  // namespace hone::server
