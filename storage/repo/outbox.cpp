#include "storage/repo/outbox.h"

#include <vector>

#include "storage/postgres/exec.h"

namespace hone::storage {

void insert_outbox(Tx& tx, const std::string& topic, const std::string& key,
                   const JsonText& payload) {
  exec(tx, "INSERT INTO outbox (topic, key, payload) VALUES ($1, $2, $3::jsonb)", topic, key,
       payload);
}

Relayed relay_batch(Tx& tx, const std::function<bool(const OutboxMessage&)>& publish, int limit) {
  // By the mark of each row, never by "ids above the last one": ids commit out of order.
  const auto rows = exec(tx, R"sql(
      SELECT id, topic, key, payload FROM outbox WHERE published_at IS NULL
       ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)sql",
                         limit);
  Relayed relayed;
  std::vector<std::string> sent;
  for (const auto& row : rows) {
    if (!publish({int64(row, "id"), text(row, "topic"), text(row, "key"), text(row, "payload")})) {
      relayed.failed = true;
      break;
    }
    sent.push_back(text(row, "id"));
  }
  if (!sent.empty())
    exec(tx, "UPDATE outbox SET published_at = clock_timestamp() WHERE id = ANY ($1::bigint[])",
         sent);
  relayed.sent = static_cast<int>(sent.size());
  return relayed;
}

std::optional<double> outbox_lag_s(Tx& tx) {
  const auto rows = exec(tx, R"sql(
      SELECT extract(epoch FROM clock_timestamp() - min(created_at))::float8 AS lag
        FROM outbox WHERE published_at IS NULL)sql");
  return maybe_double(rows[0], "lag");
}

int prune_outbox(Tx& tx) {
  return static_cast<int>(
      exec(tx, "DELETE FROM outbox WHERE published_at < now() - interval '1 day'").affected_rows());
}

}  // namespace hone::storage
