// Lists, a page at a time: ?limit= and ?cursor= in, {"data", "has_more", "next"} out.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "services/httpd/request.h"
#include "services/httpd/response.h"
#include "services/server/app.h"

namespace hone::server {

struct PageAsked {
  int limit = 50;                    ///< 1 to 200
  std::optional<std::string> after;  ///< what reply_list was given as `next`; nobody else made it
};

/// Throws Error{Invalid} for a limit outside 1..200 or a cursor that this server did not sign.
PageAsked page_asked(const App& app, const httpd::Request& request);

/// `data` is a JSON array. `next`, when there is more, is any text that says where to go on (a
/// created_at and an id, say); it travels signed.
httpd::Response reply_list(const App& app, nlohmann::json data, std::optional<std::string> next = std::nullopt);

}  // namespace hone::server
