// The three threads behind the requests: news from PostgreSQL to the streams, wake-ups from the
// outbox to Redis, and the watch over leases. Any number of servers may run them at once.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

#include "services/server/events/event_hub.h"
#include "services/server/health_state.h"
#include "services/shared/config.h"
#include "storage/postgres/pool.h"

namespace hone::server {

/// Starts in its constructor, ends in its destructor, within about a second.
class Background {
 public:
  Background(const shared::Config& config, storage::Pool& pool, EventHub& events,
             HealthState& health);
  ~Background();

 private:
  void listen(std::stop_token stop);
  void relay(std::stop_token stop);
  void reap(std::stop_token stop);
  /// True when told to stop.
  bool rest(const std::stop_token& stop, std::chrono::milliseconds most);
  void poke_relay();

  const shared::Config& config_;
  storage::Pool& pool_;
  EventHub& events_;
  HealthState& health_;

  std::mutex mutex_;
  std::condition_variable_any wake_;
  bool poked_ = false;

  std::jthread listener_, relay_, reaper_;
};

}  // namespace hone::server
