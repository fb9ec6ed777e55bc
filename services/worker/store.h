// The store as one worker sees it: its leases, the artifacts, and what to do while it is away.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>

#include "services/worker/heartbeat.h"
#include "storage/artifacts/store.h"
#include "storage/postgres/pool.h"
#include "storage/repo/leases.h"

namespace hone::worker {

/// Thrown when waiting for the store is over, because the lease is.
class LeaseLost : public std::exception {
 public:
  const char* what() const noexcept override { return "the lease was lost"; }
};

/// Connections for the work, one apart for the heartbeat, which must not queue behind a large
/// write, and the artifact store. Any thread.
struct Store {
  Store(const std::string& conninfo, const std::filesystem::path& artifacts_root)
      : work({.conninfo = conninfo, .role = "hone_worker", .size = 2}),
        beat({.conninfo = conninfo, .role = "hone_worker", .size = 1}),
        artifacts(artifacts_root) {}

  storage::Pool work;
  storage::Pool beat;
  storage::ArtifactStore artifacts;
};

/// Runs `f(Tx&)`, again and again while the store is out of reach, until the lease is lost
/// (LeaseLost). What `f` does is fenced and may be done twice.
template <class F>
auto patiently(Store& store, Heartbeat& heartbeat, F&& f) {
  auto wait = std::chrono::milliseconds(100);
  while (true) {
    try {
      return store.work.transact(f);
    } catch (const storage::StaleLease&) {
      heartbeat.mark_lost();
      throw LeaseLost();
    } catch (const Error& failed) {
      if (failed.code() != Code::Busy) throw;
    }
    if (heartbeat.state() == Heartbeat::State::Lost) throw LeaseLost();
    std::this_thread::sleep_for(wait);
    wait = std::min(wait * 2, std::chrono::milliseconds(2'000));
  }
}

}  // namespace hone::worker
