#include "storage/repo/audit.h"

#include <algorithm>

#include "storage/postgres/exec.h"

namespace hone::storage {

void insert_audit(Tx& tx, const AuditEntry& entry) {
  exec(tx, R"sql(
      INSERT INTO audit (actor_id, actor_kind, action, object_kind, object_id, detail, address, request_id)
      VALUES ($1, $2, $3, $4, $5, nullif($6, '')::jsonb, $7, $8))sql",
       entry.actor, entry.actor_kind, entry.action, entry.object_kind, entry.object_id,
       entry.detail, entry.address, entry.request_id);
}

List<AuditRow> list_audit(Tx& tx, const Page& page) {
  const int limit = std::clamp(page.limit, 1, 200);
  List<AuditRow> list;
  for (const auto& row : exec(tx, R"sql(
      SELECT *, rfc3339(at) AS at_text FROM audit
       WHERE team_id = $1 AND ($2 = '' OR id < nullif($2, '')::bigint)
       ORDER BY id DESC LIMIT $3)sql",
                              tx.team(), page.after, limit + 1)) {
    AuditRow entry{.id = int64(row, "id"), .at = text(row, "at_text"), .entry = {}};
    if (const auto actor = maybe_text(row, "actor_id")) entry.entry.actor = UserId{*actor};
    entry.entry.actor_kind = text(row, "actor_kind");
    entry.entry.action = text(row, "action");
    entry.entry.object_kind = text(row, "object_kind");
    entry.entry.object_id = text(row, "object_id");
    entry.entry.detail = text(row, "detail");
    entry.entry.address = text(row, "address");
    entry.entry.request_id = text(row, "request_id");
    list.data.push_back(std::move(entry));
  }
  list.has_more = static_cast<int>(list.data.size()) > limit;
  if (list.has_more) list.data.pop_back();
  return list;
}

}  // namespace hone::storage
