// Wakes the streams that wait for news of a job: PostgreSQL's NOTIFY, heard by one thread, handed
// on to the coroutines of this process. A hint that gets lost costs its poll interval, nothing
// else.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "services/httpd/net.h"

namespace hone::server {

namespace net = httpd::net;

class EventHub {
 public:
  EventHub();
  ~EventHub();

  /// Returns when `topic` (a job's id) was announced, when `most` has passed, or when the hub
  /// closes. News between two waits of one listener are not kept: read, then wait, then read.
  net::awaitable<void> wait(std::string topic, std::chrono::milliseconds most);
  /// Any thread.
  void announce(const std::string& topic);
  /// Wakes all and lets nobody wait again: the server is stopping.
  void close();
  bool closed() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace hone::server
