#include "storage/repo/idempotency.h"

#include "storage/postgres/exec.h"

namespace hone::storage {

KeyLookup begin_idempotent(Tx& tx, const IdempotencyKey& key) {
  // Waiting for a lock would hold a connection for as long as the first copy runs.
  const auto lock = exec(tx, R"sql(
      SELECT pg_try_advisory_xact_lock(hashtextextended($1 || '|' || $2 || '|' || $3 || '|' || $4, 0)) AS got)sql",
                         tx.team(), key.actor, key.route, key.key);
  if (!boolean(lock[0], "got")) return {KeyState::InFlight, {}};
  exec(tx, R"sql(
      DELETE FROM idempotency WHERE team_id = $1 AND actor = $2 AND route = $3 AND key = $4
         AND created_at < clock_timestamp() - interval '24 hours')sql",
       tx.team(), key.actor, key.route, key.key);
  const auto rows = exec(tx, R"sql(
      SELECT body_sha256, status, body FROM idempotency
       WHERE team_id = $1 AND actor = $2 AND route = $3 AND key = $4)sql",
                         tx.team(), key.actor, key.route, key.key);
  if (rows.empty()) return {KeyState::Fresh, {}};
  if (text(rows[0], "body_sha256") != key.body_sha256) return {KeyState::KeyReused, {}};
  return {KeyState::Replay, {static_cast<int>(int64(rows[0], "status")), text(rows[0], "body")}};
}

void save_reply(Tx& tx, const IdempotencyKey& key, const StoredReply& reply) {
  exec(tx, R"sql(
      INSERT INTO idempotency (actor, route, key, body_sha256, status, body)
      VALUES ($1, $2, $3, $4, $5, $6))sql",
       key.actor, key.route, key.key, key.body_sha256, reply.status, reply.body);
}

int prune_idempotency(Tx& tx) {
  return static_cast<int>(exec(tx, R"sql(
      DELETE FROM idempotency WHERE team_id = $1 AND created_at < now() - interval '24 hours')sql",
                               tx.team())
                              .affected_rows());
}

}  // namespace hone::storage
