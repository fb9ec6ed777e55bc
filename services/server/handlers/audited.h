// The audit row of an act, from who asked and how.
#pragma once

#include <string>
#include <utility>

#include "services/httpd/request.h"
#include "services/server/auth/caller.h"
#include "storage/repo/audit.h"

namespace hone::server {

/// Goes into the act's own transaction. `detail` is JSON text or empty, never prompts or secrets.
inline void audit(storage::Tx& tx, const Caller& caller, const httpd::Request& request,
                  std::string action, std::string object_kind, std::string object_id,
                  std::string detail = {}) {
  storage::insert_audit(tx, {.actor = caller.user,
                             .actor_kind = caller.by == Caller::By::Token ? "token" : "user",
                             .action = std::move(action),
                             .object_kind = std::move(object_kind),
                             .object_id = std::move(object_id),
                             .detail = std::move(detail),
                             .address = request.peer,
                             .request_id = request.id});
}

}  // namespace hone::server
