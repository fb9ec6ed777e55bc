// The installation's settings, read once at start from environment variables. Every program reads
// the same names; a value that cannot be right stops the program with the variable's name.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace hone::shared {

/// A host and a port, of `HONE_LISTEN`.
struct Address {
  std::string host;
  std::uint16_t port = 0;
};

struct Config {
  std::filesystem::path home;                  ///< HONE_HOME; holds store/ jobs/ secrets/ log/ tmp/
  std::string database_url;                    ///< HONE_DATABASE_URL; empty when not set
  std::string database_owner_url;              ///< HONE_DATABASE_OWNER_URL, else database_url
  std::string database_worker_url;             ///< HONE_DATABASE_WORKER_URL, else database_url
  std::string redis_url;                       ///< HONE_REDIS_URL; empty = work without Redis
  Address listen{"127.0.0.1", 8080};           ///< HONE_LISTEN
  bool listen_next_free = false;               ///< HONE_LISTEN_NEXT_FREE=1
  std::filesystem::path web;                   ///< HONE_WEB: the built page; may not exist
  std::filesystem::path run;                   ///< HONE_RUN: the hone-run program
  std::chrono::milliseconds lease{15'000};     ///< HONE_LEASE_S
  std::chrono::milliseconds heartbeat{5'000};  ///< HONE_HEARTBEAT_S
  std::chrono::milliseconds poll{2'000};       ///< HONE_POLL_S
  std::optional<std::string> public_url;       ///< HONE_PUBLIC_URL, without a trailing slash
  int threads = 0;  ///< HONE_THREADS; 0 = as many as there are physical cores

  std::filesystem::path store() const { return home / "store"; }
  std::filesystem::path jobs() const { return home / "jobs"; }
  std::filesystem::path secrets() const { return home / "secrets"; }
  std::filesystem::path tmp() const { return home / "tmp"; }
  std::filesystem::path log() const { return home / "log"; }
};

using Environment = std::function<const char*(const char* name)>;

/// Throws Error{Invalid} naming the variable. `executable` is where the program itself lies: the
/// page and hone-run are looked for beside it.
Config read_config(const Environment& environment, const std::filesystem::path& executable);

/// read_config with the real environment and /proc/self/exe.
Config read_config();

/// `host:port`, `[v6]:port`, or a port alone on 127.0.0.1. Throws Error{Invalid}.
Address parse_address(const std::string& text);

}  // namespace hone::shared
