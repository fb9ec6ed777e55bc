// Inside httpd only: one connection, its parser and its state in the server. Names Beast.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>

#include <cstdint>
#include <map>
#include <mutex>
#include <set>

#include "services/httpd/server.h"

namespace hone::httpd {

namespace beast = boost::beast;
using tcp = net::ip::tcp;
using Parser = http::request_parser<http::buffer_body>;

/// What the connections of one server share.
struct Shared {
  ListenOptions options;
  Application& app;
  std::atomic<bool> stopping{false};
  std::atomic<std::size_t> count{0};

  std::mutex mutex;
  std::set<class Connection*> open;
  std::map<std::string, std::size_t>
      strangers;                   // connections without a signed-in request, by address
  std::function<void()> on_empty;  // called outside the mutex

  Shared(ListenOptions o, Application& a) : options(std::move(o)), app(a) {}
};

/// Reads the body that belongs to the parser's header.
class ConnectionBody : public BodyReader {
 public:
  ConnectionBody(beast::tcp_stream& stream, beast::flat_buffer& buffer, Parser& parser,
                 const Limits& limits)
      : stream_(stream), buffer_(buffer), parser_(parser), limits_(limits) {}

  net::awaitable<std::string> to_memory(std::uint64_t max_bytes) override;
  net::awaitable<std::shared_ptr<TempFile>> to_file(std::filesystem::path folder,
                                                    std::uint64_t max_bytes) override;
  /// True when the next request may follow on this connection.
  bool finished() const { return parser_.is_done(); }

 private:
  net::awaitable<void> begin(std::uint64_t max_bytes);
  net::awaitable<std::size_t> some(char* into, std::size_t room);

  beast::tcp_stream& stream_;
  beast::flat_buffer& buffer_;
  Parser& parser_;
  const Limits& limits_;
  std::uint64_t max_bytes_ = 0;
  std::uint64_t read_ = 0;
  std::chrono::steady_clock::time_point began_;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(tcp::socket socket, std::shared_ptr<Shared> shared, std::string peer);
  ~Connection();

  net::awaitable<void> run();
  /// Any thread: ends it now if it waits for a request, after the reply otherwise.
  void ask_to_stop();
  /// Any thread.
  void close_now();

 private:
  class Writer;
  net::awaitable<bool> wait_for_request();
  net::awaitable<bool> exchange();
  net::awaitable<bool> refuse(Request request, http::status status, std::string detail);
  net::awaitable<bool> send(const Request& request, Response response, bool keep_alive);
  net::awaitable<void> linger();
  void trust();

  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  std::shared_ptr<Shared> shared_;
  std::string peer_;
  bool stranger_ = true;
  bool first_ = true;
  bool idle_ = false;  // on the strand only
  unsigned version_ = 11;
};

}  // namespace hone::httpd
