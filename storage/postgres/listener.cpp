#include "storage/postgres/listener.h"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <memory>
#include <thread>

#include "storage/postgres/conninfo.h"

namespace hone::storage {

struct Listener::Connection {
  PGconn* pg = nullptr;
  explicit Connection(const std::string& conninfo) : pg(PQconnectdb(conninfo.c_str())) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { PQfinish(pg); }

  bool listen(const std::string& channel) {
    if (PQstatus(pg) != CONNECTION_OK) return false;
    char* name = PQescapeIdentifier(pg, channel.c_str(), channel.size());
    if (name == nullptr) return false;
    const std::unique_ptr<PGresult, decltype(&PQclear)> result(
        PQexec(pg, ("LISTEN " + std::string(name)).c_str()), &PQclear);
    PQfreemem(name);
    return PQresultStatus(result.get()) == PGRES_COMMAND_OK;
  }

  void take(std::vector<std::string>& payloads) {
    while (PGnotify* note = PQnotifies(pg)) {
      payloads.emplace_back(note->extra);
      PQfreemem(note);
    }
  }
};

Listener::Listener(std::string conninfo, std::string channel)
    : conninfo_(bounded_conninfo(conninfo, std::chrono::seconds(2), std::chrono::milliseconds(0))),
      channel_(std::move(channel)) {}

Listener::~Listener() = default;

std::vector<std::string> Listener::wait(std::chrono::milliseconds timeout) {
  const auto end = std::chrono::steady_clock::now() + timeout;
  const auto left_ms = [&] {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    return std::max<long long>(0, left.count());
  };
  std::vector<std::string> payloads;
  if (!connection_) {
    auto connection = std::make_unique<Connection>(conninfo_);
    if (connection->listen(channel_)) connection_ = std::move(connection);
  }
  while (connection_) {
    connection_->take(payloads);
    const auto ms = left_ms();
    if (!payloads.empty() || ms == 0) return payloads;
    pollfd ready{PQsocket(connection_->pg), POLLIN, 0};
    if (::poll(&ready, 1, static_cast<int>(ms)) < 0) continue;  // a signal: look at the time again
    if (PQconsumeInput(connection_->pg) == 0) connection_.reset();
  }
  std::this_thread::sleep_until(end);
  return payloads;
}

}  // namespace hone::storage
