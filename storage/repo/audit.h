// Who did what: rows written in the act's own transaction, never changed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "storage/postgres/tx.h"

namespace hone::storage {

struct AuditEntry {
  std::optional<UserId> actor{};
  std::string actor_kind = "user";  ///< user, token, system, console
  std::string action{};             ///< "session.create", "project.patch", ...
  std::string object_kind{}, object_id{};
  JsonText detail{};  ///< empty = null; never secrets, never prompt text
  std::string address{}, request_id{};
};

/// In the transaction's team, or for the instance when it has none.
void insert_audit(Tx& tx, const AuditEntry& entry);

struct AuditRow {
  std::int64_t id = 0;
  std::string at;
  AuditEntry entry;
};
/// The team's, newest first; `page.after` is the id of the last row as text.
List<AuditRow> list_audit(Tx& tx, const Page& page);

}  // namespace hone::storage
