// One private installation for a test program: a database of its own, migrated, and a home.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "storage/postgres/pool.h"
#include "storage/repo/teams.h"
#include "tests/integration/server/server_process.h"

namespace hone::server::test {

class Installation {
 public:
  Installation();
  ~Installation();
  Installation(const Installation&) = delete;

  /// What a hone-server of this installation is started with.
  Environment environment() const;
  /// As the application's role: row-level security holds.
  storage::Pool& app() { return *app_; }
  /// As the superuser, whom no policy binds.
  storage::Pool& owner() { return *owner_; }
  const std::filesystem::path& home() const { return home_; }

  TeamId make_team(const std::string& slug);
  /// A person without a usable password.
  UserId make_person(const TeamId& team, storage::Role role, const std::string& email,
                     bool instance_admin = false);
  /// A login's cookie, without the cost of a password.
  std::string make_login(const UserId& user);
  std::string make_token(const TeamId& team, const UserId& maker, storage::Role role);

 private:
  std::string url_;
  std::filesystem::path home_;
  std::unique_ptr<storage::Pool> app_, owner_;
};

}  // namespace hone::server::test
