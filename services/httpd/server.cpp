// The listener: binds, accepts up to its limits, and stops without cutting replies.
#include "services/httpd/server.h"

#include <algorithm>

#include <fmt/format.h>
#include <sys/resource.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "feedback/base/error.h"
#include "services/httpd/address.h"
#include "services/httpd/connection.h"

namespace hone::httpd {
namespace {

std::size_t descriptor_bound(std::size_t wanted) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return wanted;
  limit.rlim_cur = limit.rlim_max;  // the soft limit is often 1,024 on machines that allow far more
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  const auto room = limit.rlim_cur > 320 ? limit.rlim_cur - 256 : 64;
  return std::min<std::size_t>(wanted, room);
}

tcp::acceptor bind(net::io_context& io, const ListenOptions& options) {
  boost::system::error_code failed;
  const auto address =
      net::ip::make_address(options.address == "localhost" ? "127.0.0.1" : options.address, failed);
  if (failed)
    throw Error(Code::Invalid, fmt::format("`{}` is not an address to listen on", options.address));
  // 100 ports on, somebody else's program is not the reason any more.
  const int last =
      options.next_free && options.port != 0 ? std::min(options.port + 100, 65'535) : options.port;
  for (int port = options.port; port <= last; ++port) {
    tcp::acceptor acceptor(net::make_strand(io));
    acceptor.open(address.is_v6() ? tcp::v6() : tcp::v4());
    acceptor.set_option(net::socket_base::reuse_address(true));
    acceptor.bind({address, static_cast<std::uint16_t>(port)}, failed);
    if (!failed) acceptor.listen(net::socket_base::max_listen_connections, failed);
    if (!failed) return acceptor;
  }
  throw Error(Code::Busy, fmt::format("cannot listen on {}:{}: {}", options.address, options.port,
                                      failed.message()));
}

}  // namespace

struct Server::State : std::enable_shared_from_this<Server::State> {
  State(net::io_context& io_in, ListenOptions options, Application& app)
      : io(io_in),
        acceptor(bind(io_in, options)),
        shared(std::make_shared<Shared>(std::move(options), app)) {
    most = descriptor_bound(shared->options.limits.connections);
  }

  net::io_context& io;
  tcp::acceptor acceptor;
  std::shared_ptr<Shared> shared;
  std::size_t most = 0;
  std::function<void()> done;
  std::unique_ptr<net::steady_timer> grace;

  bool room_for(const std::string& peer) {
    const std::lock_guard lock(shared->mutex);
    if (shared->count >= most) return false;
    // Behind a proxy all the world has one address.
    if (in_any(peer, shared->options.trusted_proxies)) return true;
    const auto found = shared->strangers.find(peer);
    return found == shared->strangers.end() ||
           found->second < shared->options.limits.strangers_per_address;
  }

  net::awaitable<void> accept() {
    const auto self = shared_from_this();
    while (!shared->stopping) {
      boost::system::error_code failed;
      tcp::socket socket = co_await acceptor.async_accept(
          net::make_strand(io), net::redirect_error(net::use_awaitable, failed));
      if (shared->stopping) co_return;
      if (failed) {
        // Out of descriptors, most likely: resting beats spinning.
        net::steady_timer rest(acceptor.get_executor(), std::chrono::milliseconds(50));
        co_await rest.async_wait(net::redirect_error(net::use_awaitable, failed));
        continue;
      }
      const auto remote = socket.remote_endpoint(failed);
      if (failed) continue;
      const auto peer = remote.address().to_string();
      if (!room_for(peer)) {
        static constexpr std::string_view kFull =
            "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: "
            "close\r\nContent-Length: 0\r\n\r\n";
        socket.non_blocking(true, failed);
        socket.send(net::buffer(kFull), 0,
                    failed);  // fits the empty socket buffer; if not, so be it
        continue;
      }
      auto executor = socket.get_executor();
      auto connection = std::make_shared<Connection>(std::move(socket), shared, peer);
      net::co_spawn(executor, connection->run(), [connection](std::exception_ptr) {});
    }
  }
};

Server::Server(net::io_context& io, ListenOptions options, Application& app)
    : state_(std::make_shared<State>(io, std::move(options), app)) {}

Server::~Server() = default;

std::uint16_t Server::port() const { return state_->acceptor.local_endpoint().port(); }

std::size_t Server::connections() const { return state_->shared->count; }

void Server::start() {
  net::co_spawn(state_->acceptor.get_executor(), state_->accept(), net::detached);
}

void Server::stop(std::chrono::milliseconds grace, std::function<void()> done) {
  const auto state = state_;
  net::post(state->acceptor.get_executor(), [state, grace, done = std::move(done)]() mutable {
    auto& shared = *state->shared;
    shared.stopping = true;
    boost::system::error_code ignored;
    state->acceptor.close(ignored);
    state->grace = std::make_unique<net::steady_timer>(state->acceptor.get_executor(), grace);
    state->grace->async_wait([state](boost::system::error_code cancelled) {
      if (cancelled) return;
      const std::lock_guard lock(state->shared->mutex);
      for (auto* connection : state->shared->open) connection->close_now();
    });
    const auto finish = [state, done = std::move(done)] {
      net::post(state->acceptor.get_executor(), [state, done] {
        state->grace->cancel();
        done();
      });
    };
    bool empty = false;
    {
      const std::lock_guard lock(shared.mutex);
      empty = shared.count == 0;
      if (!empty) shared.on_empty = finish;
      for (auto* connection : shared.open) connection->ask_to_stop();
    }
    if (empty) finish();
  });
}

}  // namespace hone::httpd
