// One connection: wait, read a header, let the application answer, write, again. Beast sets no time
// limit by itself, so there is an expires_after before every read and write.
#include "services/httpd/connection.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>

#include <algorithm>

#include "services/httpd/address.h"
#include "services/httpd/range.h"
#include "services/httpd/target.h"

namespace hone::httpd {
namespace {

constexpr std::size_t kPiece = 64 * 1024;

std::string new_request_id() {
  unsigned char bytes[12] = {};
  // Without entropy, which happens at boot alone, requests share a name; nothing else suffers.
  [[maybe_unused]] const auto got = getrandom(bytes, sizeof bytes, GRND_NONBLOCK);
  std::string id = "req_";
  for (const auto byte : bytes) id += fmt::format("{:02x}", byte);
  return id;
}

std::optional<Method> method_of(http::verb verb) {
  switch (verb) {
    case http::verb::get:
      return Method::Get;
    case http::verb::head:
      return Method::Head;
    case http::verb::post:
      return Method::Post;
    case http::verb::put:
      return Method::Put;
    case http::verb::patch:
      return Method::Patch;
    case http::verb::delete_:
      return Method::Delete;
    default:
      return std::nullopt;
  }
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
  return out;
}

// A header's value can never end its line.
std::string one_line(std::string value) {
  std::replace_if(
      value.begin(), value.end(), [](char c) { return c == '\r' || c == '\n' || c == '\0'; }, ' ');
  return value;
}

struct OpenFile {
  int fd = -1;
  ~OpenFile() {
    if (fd >= 0) ::close(fd);
  }
};

}  // namespace

// Sends a body in pieces, each under its own deadline, chunked when its length is not known.
class Connection::Writer : public Sink {
 public:
  Writer(Connection& connection, std::string head, bool chunked, bool is_stream)
      : connection_(connection),
        pending_(std::move(head)),
        chunked_(chunked),
        is_stream_(is_stream) {}

  net::awaitable<bool> write(std::string bytes) override {
    for (std::size_t at = 0; at < bytes.size() && open(); at += kPiece) {
      const auto piece = std::string_view(bytes).substr(at, kPiece);
      if (chunked_) pending_ += fmt::format("{:x}\r\n", piece.size());
      pending_ += piece;
      if (chunked_) pending_ += "\r\n";
      sent_ += piece.size();
      co_await flush();
    }
    co_return open();
  }
  /// A stream ends when the server stops; a reply of known length is still finished.
  bool open() const override { return alive_ && !(is_stream_ && connection_.shared_->stopping); }
  bool alive() const { return alive_; }
  std::uint64_t sent() const { return sent_; }

  net::awaitable<void> flush() {
    if (!alive_ || pending_.empty()) co_return;
    boost::system::error_code failed;
    connection_.stream_.expires_after(connection_.shared_->options.limits.write_time);
    co_await net::async_write(connection_.stream_, net::buffer(pending_),
                              net::redirect_error(net::use_awaitable, failed));
    pending_.clear();
    if (failed) alive_ = false;
  }
  net::awaitable<void> finish() {
    if (chunked_) pending_ += "0\r\n\r\n";
    co_await flush();
  }

 private:
  Connection& connection_;
  std::string pending_;
  bool chunked_;
  bool is_stream_;
  bool alive_ = true;
  std::uint64_t sent_ = 0;
};

Connection::Connection(tcp::socket socket, std::shared_ptr<Shared> shared, std::string peer)
    : stream_(std::move(socket)),
      buffer_(128 * 1024),
      shared_(std::move(shared)),
      peer_(std::move(peer)) {
  boost::system::error_code ignored;
  stream_.socket().set_option(tcp::no_delay(true), ignored);
  const std::lock_guard lock(shared_->mutex);
  shared_->open.insert(this);
  ++shared_->strangers[peer_];
  ++shared_->count;
}

Connection::~Connection() {
  trust();
  std::function<void()> on_empty;
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->open.erase(this);
    if (--shared_->count == 0) on_empty = std::exchange(shared_->on_empty, nullptr);
  }
  if (on_empty) on_empty();
}

void Connection::trust() {
  if (!std::exchange(stranger_, false)) return;
  const std::lock_guard lock(shared_->mutex);
  const auto found = shared_->strangers.find(peer_);
  if (--found->second == 0) shared_->strangers.erase(found);
}

void Connection::ask_to_stop() {
  // Called for every open connection, one of which may be in its destructor.
  if (auto self = weak_from_this().lock())
    net::post(stream_.get_executor(), [self = std::move(self)] {
      if (self->idle_) self->stream_.close();
    });
}

void Connection::close_now() {
  if (auto self = weak_from_this().lock())
    net::post(stream_.get_executor(), [self = std::move(self)] { self->stream_.close(); });
}

net::awaitable<void> Connection::run() {
  const auto self = shared_from_this();
  // GCC 12 miscompiles some loops with a co_await in their condition; hence the variable.
  for (bool more = true; more && !shared_->stopping;) {
    more = co_await wait_for_request();
    if (more) more = co_await exchange();
  }
  co_await linger();
}

// Between requests a client may rest longer than it may take to send a header.
net::awaitable<bool> Connection::wait_for_request() {
  const bool first = std::exchange(first_, false);
  if (buffer_.size() > 0) co_return true;
  const auto& limits = shared_->options.limits;
  stream_.expires_after(first ? limits.header_time : limits.idle_time);
  boost::system::error_code failed;
  idle_ = true;
  const auto got = co_await stream_.async_read_some(
      buffer_.prepare(4096), net::redirect_error(net::use_awaitable, failed));
  idle_ = false;
  if (failed) co_return false;
  buffer_.commit(got);
  co_return true;
}

/// One request and its reply. False when the connection ends with it.
net::awaitable<bool> Connection::exchange() {
  const auto& limits = shared_->options.limits;
  Parser parser;
  parser.header_limit(limits.header_bytes);
  parser.body_limit(boost::none);  // each route has its own, counted by ConnectionBody

  Request request;
  request.id = new_request_id();
  request.began = std::chrono::steady_clock::now();
  request.peer = peer_;

  boost::system::error_code failed;
  stream_.expires_after(limits.header_time);
  const auto header_bytes = co_await http::async_read_header(
      stream_, buffer_, parser, net::redirect_error(net::use_awaitable, failed));
  // A time-out has closed the socket: who sends a header that slowly gets no reply.
  if (failed == http::error::end_of_stream || failed == beast::error::timeout) co_return false;
  // Beast's own limit leaves room for one more line's end, so the exact one is counted here.
  if (!failed && header_bytes > limits.header_bytes) failed = http::error::header_limit;
  if (failed == http::error::header_limit || failed == http::error::buffer_overflow)
    co_return co_await refuse(
        request, http::status::request_header_fields_too_large,
        fmt::format("the header is longer than {} bytes", limits.header_bytes));
  if (failed && failed.category() == http::make_error_code(http::error::bad_method).category())
    co_return co_await refuse(request, http::status::bad_request, "this is not HTTP");
  if (failed) co_return false;

  const auto& head = parser.get();
  version_ = head.version();
  for (const auto& field : head)
    request.headers.emplace_back(lower(field.name_string()), std::string(field.value()));
  if (request.headers.size() > limits.header_fields)
    co_return co_await refuse(request, http::status::request_header_fields_too_large,
                              fmt::format("more than {} header fields", limits.header_fields));
  request.target = std::string(head.target());
  const auto method = method_of(head.method());
  if (!method)
    co_return co_await refuse(request, http::status::method_not_allowed,
                              "this method is not known here");
  request.method = *method;
  if (version_ >= 11 && std::count_if(request.headers.begin(), request.headers.end(),
                                      [](const auto& h) { return h.first == "host"; }) != 1)
    co_return co_await refuse(request, http::status::bad_request, "one Host header is wanted");
  auto target = parse_target(request.target);
  if (!target)
    co_return co_await refuse(request, http::status::bad_request, "the address is malformed");
  request.path = std::move(target->path);
  request.query = std::move(target->query);
  request.peer =
      client_of(peer_, request.header("x-forwarded-for"), shared_->options.trusted_proxies);

  ConnectionBody body(stream_, buffer_, parser, limits);
  bool signed_in = false;
  Response response = co_await shared_->app.serve(request, body, signed_in);
  if (signed_in) trust();
  const bool keep = head.keep_alive() && body.finished() && !shared_->stopping;
  co_return co_await send(request, std::move(response), keep);
}

net::awaitable<bool> Connection::refuse(Request request, http::status status, std::string detail) {
  auto response = Response::problem(status, std::move(detail));
  if (status == http::status::method_not_allowed)
    response.with("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE");
  co_return co_await send(request, std::move(response), false);
}

net::awaitable<bool> Connection::send(const Request& request, Response response, bool keep_alive) {
  // The file is opened first: one that is gone is still a 404 and not half a reply.
  OpenFile file;
  std::uint64_t size = 0;
  Range range;
  if (const auto* wanted = std::get_if<FileBody>(&response.body)) {
    struct stat about {};
    file.fd = ::open(wanted->path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file.fd < 0 || ::fstat(file.fd, &about) != 0 || !S_ISREG(about.st_mode)) {
      response = Response::problem(http::status::not_found, "the file is not there");
    } else {
      size = static_cast<std::uint64_t>(about.st_size);
      std::string etag;
      for (const auto& [name, value] : response.headers)
        if (lower(name) == "etag") etag = value;
      const auto if_range = request.header("if-range");
      range = if_range.empty() || if_range == etag ? parse_range(request.header("range"), size)
                                                   : parse_range({}, size);
      response.with("Accept-Ranges", "bytes");
      if (range.kind == Range::Kind::Part && response.status == http::status::ok) {
        response.status = http::status::partial_content;
        response.with("Content-Range", fmt::format("bytes {}-{}/{}", range.first,
                                                   range.first + range.count - 1, size));
      } else if (range.kind == Range::Kind::Unsatisfiable) {
        auto refused =
            Response::problem(http::status::range_not_satisfiable, "the file has no such bytes");
        refused.with("Content-Range", fmt::format("bytes */{}", size));
        response = std::move(refused);
      }
    }
  }
  shared_->app.finish(request, response);

  const auto* text = std::get_if<std::string>(&response.body);
  const auto* stream = std::get_if<StreamBody>(&response.body);
  const bool bodyless =
      response.status == http::status::no_content || response.status == http::status::not_modified;
  std::optional<std::uint64_t> length;
  if (text)
    length = text->size();
  else if (stream)
    length = stream->length;
  else
    length = range.count;
  const bool chunked = !length && !bodyless && version_ >= 11;
  if (!length && !chunked && !bodyless)
    keep_alive = false;  // HTTP/1.0: the end of the connection ends it

  std::string head = fmt::format("HTTP/1.1 {} {}\r\n", static_cast<unsigned>(response.status),
                                 std::string_view(http::obsolete_reason(response.status)));
  const auto put = [&head](std::string_view name, std::string value) {
    head += name;
    head += ": ";
    head += one_line(std::move(value));
    head += "\r\n";
  };
  if (!bodyless) put("Content-Type", response.content_type);
  for (auto& [name, value] : response.headers) put(name, value);
  if (chunked)
    put("Transfer-Encoding", "chunked");
  else if (length && !bodyless)
    put("Content-Length", std::to_string(*length));
  put("Connection", keep_alive ? "keep-alive" : "close");
  head += "\r\n";

  const bool with_body = !bodyless && request.method != Method::Head;
  Writer writer(*this, std::move(head), chunked && with_body, stream != nullptr && !length);
  bool whole = true;
  if (!with_body) {
    co_await writer.flush();
  } else if (text) {
    co_await writer.write(*text);
    co_await writer.finish();
  } else if (stream) {
    co_await writer.flush();
    try {
      co_await stream->generate(writer);
    } catch (...) {
      whole = false;  // the generator logged it; the client sees a body without its end
    }
    if (length && writer.sent() != *length) whole = false;
    if (whole) co_await writer.finish();
  } else {
    // Read on the io thread: the pages of a file that is being downloaded are read ahead.
    for (std::uint64_t sent = 0; sent < range.count && writer.alive();) {
      std::string piece(std::min<std::uint64_t>(kPiece, range.count - sent), '\0');
      const auto got =
          ::pread(file.fd, piece.data(), piece.size(), static_cast<off_t>(range.first + sent));
      if (got <= 0) {
        whole = false;
        break;
      }
      piece.resize(static_cast<std::size_t>(got));
      sent += static_cast<std::uint64_t>(got);
      co_await writer.write(std::move(piece));
    }
    if (whole) co_await writer.finish();
  }
  co_return keep_alive&& whole&& writer.alive();
}

// A socket closed with bytes unread resets the connection, and the client may lose the reply that
// says why. So the rest of a refused body is read and thrown away for a moment.
net::awaitable<void> Connection::linger() {
  boost::system::error_code failed;
  stream_.socket().shutdown(tcp::socket::shutdown_send, failed);
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  std::string thrown_away(kPiece, '\0');
  while (!failed && std::chrono::steady_clock::now() < until) {
    stream_.expires_at(until);
    co_await stream_.async_read_some(net::buffer(thrown_away),
                                     net::redirect_error(net::use_awaitable, failed));
  }
  stream_.close();
}

}  // namespace hone::httpd
