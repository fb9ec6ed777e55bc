// A request's body under its limits: so many bytes, at least so fast, else refused midway.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/rfc7230.hpp>

#include <cstdint>
#include <system_error>

#include "services/httpd/connection.h"

namespace hone::httpd {
namespace {

constexpr std::size_t kPiece = 64 * 1024;

std::string too_long(std::uint64_t max) {
  return fmt::format("the body is longer than the {} bytes that this route takes", max);
}

}  // namespace

net::awaitable<void> ConnectionBody::begin(std::uint64_t max_bytes) {
  max_bytes_ = max_bytes;
  began_ = std::chrono::steady_clock::now();
  const auto length = parser_.content_length();
  if (length && *length > max_bytes)
    throw RequestRefused{http::status::payload_too_large, too_long(max_bytes)};
  // A client that asked first is told to go on only now, after it was let in.
  if (!parser_.is_done() && beast::iequals(parser_.get()[http::field::expect], "100-continue")) {
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    boost::system::error_code failed;
    stream_.expires_after(limits_.write_time);
    co_await net::async_write(stream_, net::buffer(kContinue),
                              net::redirect_error(net::use_awaitable, failed));
    if (failed) throw RequestRefused{http::status::bad_request, "the client went away"};
  }
}

// Up to `room` bytes; 0 at the body's end.
net::awaitable<std::size_t> ConnectionBody::some(char* into, std::size_t room) {
  if (parser_.is_done()) co_return 0;
  auto& body = parser_.get().body();
  body.data = into;
  body.size = room;
  body.more = true;

  // A client that sends nothing at all is cut off by the stream's own deadline, without a reply;
  // one that drips is told, between two drops.
  const auto allowed =
      limits_.body_grace + std::chrono::milliseconds(read_ * 1000 / limits_.body_bytes_per_s);
  if (std::chrono::steady_clock::now() - began_ > allowed)
    throw RequestRefused{http::status::request_timeout, "the body arrives too slowly"};
  stream_.expires_after(limits_.body_grace);

  boost::system::error_code failed;
  co_await http::async_read_some(stream_, buffer_, parser_,
                                 net::redirect_error(net::use_awaitable, failed));
  if (failed == http::error::need_buffer) failed = {};
  if (failed == beast::error::timeout)
    throw RequestRefused{http::status::request_timeout, "the body arrives too slowly"};
  if (failed)
    throw RequestRefused{http::status::bad_request, "the body ends early or is malformed"};

  const auto got = room - body.size;
  read_ += got;
  if (read_ > max_bytes_)
    throw RequestRefused{http::status::payload_too_large, too_long(max_bytes_)};
  co_return got;
}

net::awaitable<std::string> ConnectionBody::to_memory(std::uint64_t max_bytes) {
  co_await begin(max_bytes);
  std::string text;
  std::string piece(kPiece, '\0');
  while (!parser_.is_done()) {
    const auto got = co_await some(piece.data(), piece.size());
    text.append(piece, 0, got);
  }
  co_return text;
}

net::awaitable<std::shared_ptr<TempFile>> ConnectionBody::to_file(std::filesystem::path folder,
                                                                  std::uint64_t max_bytes) {
  co_await begin(max_bytes);
  auto name = (folder / "upload.XXXXXX").string();
  const int fd = ::mkostemp(name.data(), O_CLOEXEC);
  if (fd < 0)
    throw std::system_error(errno, std::generic_category(), "creating a file for the upload");
  const auto close = [](const int* open) { ::close(*open); };
  const std::unique_ptr<const int, decltype(close)> closing(&fd, close);
  auto file = std::make_shared<TempFile>(name);

  std::string piece(kPiece, '\0');
  while (!parser_.is_done()) {
    const auto got = co_await some(piece.data(), piece.size());
    for (std::size_t done = 0; done < got;) {
      const auto wrote = ::write(fd, piece.data() + done, got - done);
      if (wrote < 0) throw std::system_error(errno, std::generic_category(), "writing the upload");
      done += static_cast<std::size_t>(wrote);
    }
  }
  co_return file;
}

}  // namespace hone::httpd
