// Lists, a page at a time: ?limit= and ?cursor= in, {"data", "has_more", "next"} out.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "services/httpd/request.h"
#include "services/httpd/response.h"
#include "services/server/app.h"
#include "storage/postgres/tx.h"

namespace hone::server {

/// What the caller asked for, ready for storage's list functions. Throws Error{Invalid} for a limit
/// outside 1..200 or a cursor that this installation did not sign.
storage::Page page_asked(const App& app, const httpd::Request& request);

/// `data` is a JSON array. `next`, when there is more, is the id of the last item (or any text that
/// page_asked shall give back); it travels signed.
httpd::Response reply_list(const App& app, nlohmann::json data,
                           std::optional<std::string> next = std::nullopt);

}  // namespace hone::server
