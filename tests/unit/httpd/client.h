// A client that sends exactly the bytes it is told to: what a polite library would never send.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

namespace hone::httpd::test {

struct Reply {
  int status = 0;                              ///< 0: the connection ended without one
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;
  bool whole = false;  ///< the body came with its end
};

class RawClient {
 public:
  explicit RawClient(std::uint16_t port);
  ~RawClient();
  RawClient(const RawClient&) = delete;

  /// False when the other side has closed.
  bool send(const std::string& bytes);
  /// One reply: a body by length, by chunks, or until the end of the connection.
  Reply receive(bool head = false, std::chrono::milliseconds timeout = std::chrono::seconds(30));
  /// What comes until `enough` is in it or the time is over.
  std::string receive_until(const std::string& enough, std::chrono::milliseconds timeout);
  /// True when the other side closes within the time.
  bool closed_within(std::chrono::milliseconds timeout);

 private:
  bool more(std::chrono::steady_clock::time_point until);
  int fd_;
  std::string have_;
  bool ended_ = false;
};

/// A request in one piece on its own connection.
Reply ask(std::uint16_t port, const std::string& bytes, bool head = false);

}  // namespace hone::httpd::test
