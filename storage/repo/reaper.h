// The server's side of leases: which are held, and taking back those whose holder is gone. The
// rule (unchanged counter for one lease time by the reaper's own steady clock over unbroken polls)
// is feedback/lifecycle/reaping.h; here are the rows. All teams; needs no team.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "storage/postgres/tx.h"

namespace hone::storage {

struct Heartbeat {
  JobId job;
  std::int64_t epoch = 0;
  std::int64_t heartbeat_no = 0;
  std::string worker;
};

/// Every job that is held now. Also takes the advisory lock of reaping for this transaction:
/// nullopt-like empty `held` and `mine == false` when another server has it.
struct Heartbeats {
  bool mine = false;
  std::vector<Heartbeat> held;
};
Heartbeats list_heartbeats(Tx& tx);

/// Takes the lease away when epoch and counter are still these: queued again from its newest
/// checkpoint (or cancelled, or dead when its budget is spent). The job's new state; empty = it
/// moved.
std::string reap_job(Tx& tx, const Heartbeat& seen);

/// Wake-ups for jobs that have been claimable for a while without being taken (their message may
/// have been lost, their back-off may have ended). Returns how many outbox rows were added.
int nudge_queued_jobs(Tx& tx);

}  // namespace hone::storage
