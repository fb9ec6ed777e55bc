// What every handler may use. Made by main, outlives the io_context and all requests.
#pragma once

#include <string>

#include "feedback/base/clock.h"
#include "feedback/base/random.h"
#include "services/server/database.h"
#include "services/shared/config.h"
#include "services/shared/secrets.h"

namespace hone::storage {
class ArtifactStore;
}

namespace hone::server {

class Accounts;
class EventHub;
class HealthState;

struct App {
  const shared::Config& config;
  Database& db;
  WorkPool& files;  ///< for blocking file work
  storage::ArtifactStore& store;
  EventHub& events;     ///< wakes who waits for a job's news
  HealthState& health;  ///< what was last seen of PostgreSQL and Redis
  Accounts& accounts;   ///< password hashing, guessing limits, CSRF proofs
  Clock& clock;
  Random& random;
  shared::Secret cursor_key;  ///< signs list cursors
  std::string public_url;     ///< what links begin with; no trailing slash
};

}  // namespace hone::server
