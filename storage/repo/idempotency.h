// Idempotency-Key on POST: the stored reply of an act, written in the act's transaction. (Judgments
// carry their key on their own row.)
#pragma once

#include <string>

#include "storage/postgres/tx.h"

namespace hone::storage {

struct IdempotencyKey {
  std::string actor;  ///< "user:<id>" or "token:<id>"
  std::string route;  ///< "POST /api/v1/runs"
  std::string key;
  std::string body_sha256;
};

struct StoredReply {
  int status = 0;
  std::string body;
};

enum class KeyState {
  Fresh,      ///< act, then save_reply in the same transaction
  Replay,     ///< give the stored reply
  KeyReused,  ///< 422: spent on another body
  InFlight,   ///< 409: the first copy is still running
};

struct KeyLookup {
  KeyState state = KeyState::Fresh;
  StoredReply reply;
};

/// First thing in the act's transaction; takes the key's lock until its end without ever waiting
/// for it. A key is forgotten after 24 hours.
KeyLookup begin_idempotent(Tx& tx, const IdempotencyKey& key);
void save_reply(Tx& tx, const IdempotencyKey& key, const StoredReply& reply);
/// Forgets what is older than 24 hours, of the transaction's team. Returns how many.
int prune_idempotency(Tx& tx);

}  // namespace hone::storage
