// A private PostgreSQL and Redis for one test program: real servers in a temporary folder, on unix
// sockets, gone with the program. PostgreSQL refuses to run as root, so root runs it as `postgres`.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

namespace hone::test {

/// Started by the constructor (about two seconds, most of it initdb), stopped and removed by the
/// destructor. One thread. Throws std::runtime_error, with the server's own log, when a program is
/// missing or does not start.
class LocalServices {
 public:
  LocalServices();
  ~LocalServices();
  LocalServices(const LocalServices&) = delete;
  LocalServices& operator=(const LocalServices&) = delete;

  /// One set for the whole program, started on first use.
  static LocalServices& shared();

  /// A fresh, migrated database (a copy of a template, some 50 ms); its libpq URL, login superuser.
  std::string fresh_database();
  /// An empty one.
  std::string empty_database();
  std::string redis_url() const;
  const std::filesystem::path& folder() const { return folder_; }

  void start_postgres();  ///< waits until it answers
  void stop_postgres();   ///< in order, connections cut
  void kill_postgres();   ///< SIGKILL to the postmaster and what it forked; start again recovers
  void start_redis();
  void kill_redis();

 private:
  std::string url(const std::string& database) const;
  void run_sql(const std::string& database, const std::string& sql);

  std::filesystem::path folder_;
  std::filesystem::path binaries_;  ///< of PostgreSQL
  pid_t postgres_ = -1;
  pid_t redis_ = -1;
  int databases_ = 0;
  bool template_made_ = false;
};

}  // namespace hone::test
