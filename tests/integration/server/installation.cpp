#include "tests/integration/server/installation.h"

#include "services/server/auth/digest.h"
#include "services/shared/clock.h"
#include "services/shared/token.h"
#include "storage/repo/tokens.h"
#include "storage/repo/users.h"
#include "tests/support/local_services.h"

namespace hone::server::test {

using hone::test::LocalServices;

Installation::Installation() {
  static int count = 0;
  auto& local = LocalServices::shared();
  url_ = local.fresh_database();
  home_ = local.folder() / ("home" + std::to_string(++count));
  std::filesystem::create_directories(home_);
  app_ = std::make_unique<storage::Pool>(
      storage::PoolOptions{.conninfo = url_, .role = "hone_app", .size = 2});
  owner_ = std::make_unique<storage::Pool>(
      storage::PoolOptions{.conninfo = url_, .role = "", .size = 1});
}

Installation::~Installation() { std::filesystem::remove_all(home_); }

Environment Installation::environment() const {
  return {{"HONE_DATABASE_URL", url_},
          {"HONE_REDIS_URL", LocalServices::shared().redis_url()},
          {"HONE_HOME", home_.string()},
          {"HONE_WEB", (home_ / "no-page").string()}};
}

TeamId Installation::make_team(const std::string& slug) {
  return app_->transact([&](storage::Tx& tx) { return storage::insert_team(tx, slug, slug); });
}

UserId Installation::make_person(const TeamId& team, storage::Role role, const std::string& email,
                                 bool instance_admin) {
  return app_->transact(team, [&](storage::Tx& tx) {
    const auto user = storage::insert_user(
        tx,
        {.email = email, .name = email, .password_hash = "*", .instance_admin = instance_admin});
    storage::insert_member(tx, user, role);
    return user;
  });
}

std::string Installation::make_login(const UserId& user) {
  shared::SystemRandom random;
  const auto cookie = random_text(random, 32);
  app_->transact([&](storage::Tx& tx) {
    storage::insert_session(tx, {.token_sha256 = sha256_hex(cookie), .user = user});
  });
  return cookie;
}

std::string Installation::make_token(const TeamId& team, const UserId& maker, storage::Role role) {
  shared::SystemRandom random;
  const auto token = shared::new_token("pat", random);
  app_->transact(team, [&](storage::Tx& tx) {
    storage::insert_token(tx, {.name = "test",
                               .role = role,
                               .token_sha256 = sha256_hex(token),
                               .hint = token.substr(0, 17),
                               .created_by = maker});
  });
  return token;
}

}  // namespace hone::server::test
