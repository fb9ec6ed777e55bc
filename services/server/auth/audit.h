// One line of the audit table for an act of this request, in the act's own transaction.
#pragma once

#include <string>

#include "services/httpd/request.h"
#include "services/server/auth/caller.h"
#include "storage/repo/audit.h"

namespace hone::server {

/// `detail` is a JSON object's text or empty; never secrets, never what people wrote.
inline void audit(storage::Tx& tx, const Caller& caller, const httpd::Request& request,
                  std::string action, std::string object_kind, std::string object_id,
                  std::string detail = {}) {
  storage::AuditEntry entry;
  if (!caller.user.value.empty()) entry.actor = caller.user;
  entry.actor_kind = caller.by == Caller::By::Token ? "token" : "user";
  entry.action = std::move(action);
  entry.object_kind = std::move(object_kind);
  entry.object_id = std::move(object_id);
  entry.detail = std::move(detail);
  entry.address = request.peer;
  entry.request_id = request.id;
  storage::insert_audit(tx, entry);
}

}  // namespace hone::server
