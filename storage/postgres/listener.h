// Hears NOTIFY: a hint that something changed, never the change itself.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace hone::storage {

/// Channel of changed jobs; the payload is the job's id.
inline constexpr const char* kEventsChannel = "hone_events";

/// One connection that listens on one channel. One thread. Hints may be lost (a broken connection
/// is opened again quietly), so whoever waits also looks by itself now and then.
class Listener {
 public:
  Listener(std::string conninfo, std::string channel);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  /// The payloads that came, as soon as there is one; empty after `timeout`, or when PostgreSQL is
  /// away (then it has waited the time-out too, so a loop does not spin).
  std::vector<std::string> wait(std::chrono::milliseconds timeout);

 private:
  struct Connection;
  std::string conninfo_;
  std::string channel_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace hone::storage
