// What the background threads last saw of PostgreSQL and Redis.
#pragma once

#include <atomic>
#include <string>

namespace hone::server {

/// Any thread.
class HealthState {
 public:
  enum class Redis { NotUsed, Ok, Away };

  void set_redis(Redis state) { redis_ = state; }
  void set_database(bool answers) { database_ = answers; }
  bool database() const { return database_; }
  /// "ok", "away", or "none" when no Redis is configured.
  std::string redis() const {
    switch (redis_) {
      case Redis::NotUsed:
        return "none";
      case Redis::Ok:
        return "ok";
      case Redis::Away:
        return "away";
    }
    return "away";
  }

 private:
  std::atomic<Redis> redis_{Redis::NotUsed};
  std::atomic<bool> database_{false};
};

}  // namespace hone::server
