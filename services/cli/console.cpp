#include "services/cli/console.h"

#include <fmt/format.h>

#include <fstream>

#include "feedback/base/error.h"
#include "storage/repo/users.h"

namespace hone::cli {

namespace {
constexpr const char* kConsoleEmail = "console@localhost";
constexpr const char* kNoPassword = "!";  // no hash: nothing verifies against it
constexpr const char* kDefaultTeam = "default";
}  // namespace

shared::Config console_config() {
  auto config = shared::read_config();
  if (config.database_url.empty() && config.database_owner_url.empty())
    throw Error(Code::Invalid,
                "HONE_DATABASE_URL is not set. For the private database of this checkout:  "
                "eval \"$(services/local/hone-local env)\"");
  return config;
}

storage::Pool open_pool(const shared::Config& config) {
  return storage::Pool({.conninfo = config.database_url, .role = "hone_app", .size = 2});
}

storage::Team find_team(storage::Pool& pool, const std::string& slug) {
  const auto list = [](storage::Tx& tx) { return storage::list_teams(tx); };
  const auto teams = pool.transact(list);
  std::string names;
  for (const auto& team : teams) {
    if (team.slug == slug) return team;
    names += (names.empty() ? "" : ", ") + team.slug;
  }
  throw Error(Code::NotFound,
              fmt::format("there is no team \"{}\"; {}", slug,
                          names.empty() ? "none has been made yet (hone teams create)"
                                        : "there are: " + names));
}

storage::Team find_or_make_team(storage::Pool& pool, const std::string& slug) {
  try {
    return find_team(pool, slug);
  } catch (const Error& e) {
    if (e.code() != Code::NotFound || slug != kDefaultTeam) throw;
  }
  const auto make = [&](storage::Tx& tx) {
    return storage::insert_team(tx, kDefaultTeam, "Default");
  };
  try {
    pool.transact(make);
  } catch (const Error& e) {
    if (e.code() != Code::Conflict) throw;  // somebody else made it meanwhile
  }
  return find_team(pool, slug);
}

UserId console_member(storage::Tx& tx, storage::Role least) {
  const auto found = storage::find_user_by_email(tx, kConsoleEmail);
  const auto user = found ? found->id
                          : storage::insert_user(tx, {.email = kConsoleEmail,
                                                      .name = "Console",
                                                      .password_hash = kNoPassword,
                                                      .console = true});
  const auto role = storage::find_role(tx, user);
  if (!role)
    storage::insert_member(tx, user, least);
  else if (*role < least)
    storage::set_member_role(tx, user, least);
  return user;
}

std::string public_url(const shared::Config& config) {
  if (config.public_url) return *config.public_url;
  std::ifstream in(config.home / "address");
  std::string written;
  if (std::getline(in, written) && !written.empty()) return written;
  return fmt::format("http://{}:{}", config.listen.host, config.listen.port);
}

}  // namespace hone::cli
