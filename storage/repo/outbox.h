// The outbox: messages written in the transaction of the act, sent afterwards by any server.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "storage/postgres/tx.h"

namespace hone::storage {

struct OutboxMessage {
  std::int64_t id = 0;
  std::string topic;  ///< a stream's name: hone:jobs:cpu
  std::string key;    ///< the job's id
  JsonText payload;   ///< {"job_id": "..."}
};

/// `payload` is a JSON object.
void insert_outbox(Tx& tx, const std::string& topic, const std::string& key,
                   const JsonText& payload);

struct Relayed {
  int sent = 0;
  bool failed = false;  ///< publish said no: the rest waits for the next round
};
/// Sends up to `limit` waiting messages in order through `publish` (true = sent) and marks them in
/// this transaction. Several relays share the work (SKIP LOCKED). A relay that dies between the two
/// sends a message twice, which is harmless: it is a hint.
Relayed relay_batch(Tx& tx, const std::function<bool(const OutboxMessage&)>& publish,
                    int limit = 100);

/// Age of the oldest unsent message in seconds; nullopt when all are sent.
std::optional<double> outbox_lag_s(Tx& tx);
/// Forgets messages sent more than a day ago. Returns how many.
int prune_outbox(Tx& tx);

}  // namespace hone::storage
