// The real hone-server as a child process, and requests to it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tests/unit/httpd/client.h"

namespace hone::server::test {

using Environment = std::map<std::string, std::string>;
using Headers = std::map<std::string, std::string>;

struct Reply {
  int status = 0;
  Headers headers;  ///< names in lower case
  std::string body;
  /// The body as JSON; null when it is none.
  nlohmann::json json() const;
  /// The cookie that Set-Cookie sets, empty when none.
  std::string cookie() const;
};

class ServerProcess {
 public:
  /// Starts it on a free port with these variables on top of our own; waits until it has
  /// started, 30 s at most.
  explicit ServerProcess(const Environment& environment, std::vector<std::string> arguments = {});
  ~ServerProcess();  ///< SIGKILL when it still runs
  ServerProcess(const ServerProcess&) = delete;

  std::uint16_t port() const { return port_; }
  /// From the start to the line that says where it listens.
  std::chrono::milliseconds start_time() const { return start_time_; }
  /// What it printed on standard output so far, the first administrator's link included.
  std::string printed() const { return printed_; }
  std::string log() const;
  /// The token of the link it printed, empty when it printed none.
  std::string setup_token() const;

  /// Sends a signal and waits. The exit status; nullopt when it did not end in time.
  std::optional<int> stop(int signal, std::chrono::milliseconds within);

  Reply request(const std::string& method, const std::string& target, const std::string& body = "",
                Headers headers = {}) const;

 private:
  void read_greeting(int fd);
  pid_t pid_ = -1;
  std::uint16_t port_ = 0;
  std::chrono::milliseconds start_time_{};
  std::string printed_;
  std::filesystem::path log_;
};

/// Runs the program to its end: exit status and what it printed on both outputs.
std::pair<int, std::string> run_server(const Environment& environment,
                                       const std::vector<std::string>& arguments);

/// Headers as a signed-in page sends them.
Headers as_page(const ServerProcess& server, const std::string& cookie, const std::string& csrf);

}  // namespace hone::server::test
