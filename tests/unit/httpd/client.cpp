#include "tests/unit/httpd/client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace hone::httpd::test {

RawClient::RawClient(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    ended_ = true;
}

RawClient::~RawClient() { ::close(fd_); }

bool RawClient::send(const std::string& bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const auto sent = ::send(fd_, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    at += static_cast<std::size_t>(sent);
  }
  return true;
}

bool RawClient::more(std::chrono::steady_clock::time_point until) {
  if (ended_) return false;
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
                        until - std::chrono::steady_clock::now())
                        .count();
  pollfd waiting{fd_, POLLIN, 0};
  if (left <= 0 || ::poll(&waiting, 1, static_cast<int>(left)) <= 0) return false;
  char piece[65536];
  const auto got = ::recv(fd_, piece, sizeof piece, 0);
  if (got <= 0) {
    ended_ = true;
    return false;
  }
  have_.append(piece, static_cast<std::size_t>(got));
  return true;
}

Reply RawClient::receive(bool head, std::chrono::milliseconds timeout) {
  const auto until = std::chrono::steady_clock::now() + timeout;
  Reply reply;
  std::size_t end;
  while ((end = have_.find("\r\n\r\n")) == std::string::npos)
    if (!more(until)) return reply;
  const auto text = have_.substr(0, end + 2);
  have_.erase(0, end + 4);
  reply.status = std::stoi(text.substr(text.find(' ') + 1));
  for (auto at = text.find("\r\n") + 2; at < text.size();) {
    const auto stop = text.find("\r\n", at);
    const auto line = text.substr(at, stop - at);
    auto name = line.substr(0, line.find(':'));
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    reply.headers[name] = line.substr(std::min(line.size(), line.find(':') + 2));
    at = stop + 2;
  }
  if (head || reply.status == 204 || reply.status == 304) {
    reply.whole = true;
  } else if (reply.headers.contains("content-length")) {
    const auto length = std::stoul(reply.headers["content-length"]);
    while (have_.size() < length && more(until)) {
    }
    reply.body = have_.substr(0, length);
    have_.erase(0, reply.body.size());
    reply.whole = reply.body.size() == length;
  } else if (reply.headers.contains("transfer-encoding")) {
    for (;;) {
      std::size_t line;
      while ((line = have_.find("\r\n")) == std::string::npos)
        if (!more(until)) return reply;
      const auto size = std::stoul(have_.substr(0, line), nullptr, 16);
      while (have_.size() < line + 2 + size + 2)
        if (!more(until)) return reply;
      reply.body += have_.substr(line + 2, size);
      have_.erase(0, line + 2 + size + 2);
      if (size == 0) break;
    }
    reply.whole = true;
  } else {
    while (more(until)) {
    }
    reply.body = std::exchange(have_, "");
    reply.whole = ended_;
  }
  return reply;
}

std::string RawClient::receive_until(const std::string& enough, std::chrono::milliseconds timeout) {
  const auto until = std::chrono::steady_clock::now() + timeout;
  while (have_.find(enough) == std::string::npos && more(until)) {
  }
  return have_;
}

bool RawClient::closed_within(std::chrono::milliseconds timeout) {
  const auto until = std::chrono::steady_clock::now() + timeout;
  while (more(until)) {
  }
  return ended_;
}

Reply ask(std::uint16_t port, const std::string& bytes, bool head) {
  RawClient client(port);
  client.send(bytes);
  return client.receive(head);
}

}  // namespace hone::httpd::test
