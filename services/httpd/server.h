// The listener and its connections: bytes in, Request out, Response back. It knows limits and
// deadlines and no routes; those are the Application's.
//
// Threads: the io_context may be run by several; a connection lives on its own strand.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "services/httpd/request.h"
#include "services/httpd/response.h"

namespace boost::asio {
class io_context;
}

namespace hone::httpd {

/// The body of the request being served, read only when asked for: who may not send one is refused
/// before it arrives. Throws RequestRefused when it is too long, too slow or malformed.
class BodyReader {
 public:
  virtual ~BodyReader() = default;
  virtual net::awaitable<std::string> to_memory(std::uint64_t max_bytes) = 0;
  virtual net::awaitable<std::shared_ptr<TempFile>> to_file(std::filesystem::path folder,
                                                            std::uint64_t max_bytes) = 0;
};

/// A request that HTTP itself refuses (413, 408, 400), thrown by BodyReader.
struct RequestRefused {
  http::status status;
  std::string detail;
};

class Application {
 public:
  virtual ~Application() = default;
  /// Answers one request; never throws. `signed_in` tells the listener that the connection is no
  /// longer a stranger's.
  virtual net::awaitable<Response> serve(Request request, BodyReader& body, bool& signed_in) = 0;
  /// Completes any reply, the listener's own refusals included: the problem's text, the headers
  /// that every reply carries. No Problem is left in it.
  virtual void finish(const Request& request, Response& response) = 0;
};

/// Every limit of a connection, in one place. Tests shorten the times.
struct Limits {
  std::uint32_t header_bytes = 16 * 1024;
  std::size_t header_fields = 100;
  std::size_t connections = 20'000;        ///< lowered to RLIMIT_NOFILE - 256
  std::size_t strangers_per_address = 64;  ///< connections without a signed-in request
  std::chrono::milliseconds header_time{10'000};
  std::chrono::milliseconds idle_time{60'000};   ///< between requests
  std::chrono::milliseconds body_grace{10'000};  ///< before the slowest rate is asked of a body
  std::uint64_t body_bytes_per_s = 1024;
  std::chrono::milliseconds write_time{30'000};  ///< for each piece of up to 64 KB
};

struct ListenOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 8080;
  bool next_free = false;                    ///< take the next port that is free
  std::vector<std::string> trusted_proxies;  ///< CIDRs whose X-Forwarded-For counts
  Limits limits;
};

class Server {
 public:
  /// Binds; throws Error{Busy} naming the address when it is taken. `app` outlives the Server.
  Server(net::io_context& io, ListenOptions options, Application& app);
  ~Server();
  std::uint16_t port() const;
  void start();
  /// Accepts no more, closes idle connections, tells streams to end. `done` is called once when the
  /// last connection is gone, or when `grace` has passed and the rest were closed.
  void stop(std::chrono::milliseconds grace, std::function<void()> done);
  std::size_t connections() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace hone::httpd
