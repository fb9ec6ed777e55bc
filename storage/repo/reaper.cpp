#include "storage/repo/reaper.h"

#include "storage/postgres/exec.h"

namespace hone::storage {

Heartbeats list_heartbeats(Tx& tx) {
  Heartbeats beats;
  beats.mine = boolean(
      exec(tx, "SELECT pg_try_advisory_xact_lock(hashtextextended('hone.reaper', 0)) AS got")[0],
      "got");
  if (!beats.mine) return beats;
  for (const auto& row : exec(tx, "SELECT * FROM list_heartbeats()"))
    beats.held.push_back({id<JobTag>(row, "job_id"), int64(row, "epoch"),
                          int64(row, "heartbeat_no"), text(row, "worker")});
  return beats;
}

std::string reap_job(Tx& tx, const Heartbeat& seen) {
  return text(
      exec(tx, "SELECT reap_job($1, $2, $3) AS state", seen.job, seen.epoch, seen.heartbeat_no)[0],
      "state");
}

int nudge_queued_jobs(Tx& tx) {
  return static_cast<int>(int64(exec(tx, "SELECT nudge_queued_jobs() AS n")[0], "n"));
}

}  // namespace hone::storage
