// Settings from the environment, and the secrets file beside them.
#include "services/shared/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "feedback/base/error.h"
#include "services/shared/clock.h"
#include "services/shared/log.h"
#include "services/shared/secrets.h"

namespace hone::shared {
namespace {

using testing::HasSubstr;

Config config_of(const std::map<std::string, std::string>& variables) {
  const auto environment = [&variables](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  };
  return read_config(environment, "/opt/hone/bin/hone-server");
}

std::string complaint_of(const std::map<std::string, std::string>& variables) {
  try {
    config_of(variables);
  } catch (const Error& error) {
    return error.detail();
  }
  return "taken";
}

TEST(Config, ListensOnLoopbackUnlessTold) {
  const auto config = config_of({});
  EXPECT_EQ(config.listen.host, "127.0.0.1");
  EXPECT_EQ(config.listen.port, 8080);
  EXPECT_FALSE(config.listen_next_free);
  EXPECT_EQ(config.run, "/opt/hone/bin/hone-run");
}

TEST(Config, OneDatabaseServesAllRolesUntilMoreAreNamed) {
  const auto one = config_of({{"HONE_DATABASE_URL", "host=/run/a"}});
  EXPECT_EQ(one.database_owner_url, "host=/run/a");
  EXPECT_EQ(one.database_worker_url, "host=/run/a");
  const auto two = config_of(
      {{"HONE_DATABASE_URL", "host=/run/a"}, {"HONE_DATABASE_WORKER_URL", "host=/run/b"}});
  EXPECT_EQ(two.database_worker_url, "host=/run/b");
}

TEST(Config, TakesDecimalsForTimes) {
  EXPECT_EQ(config_of({{"HONE_LEASE_S", "1.5"}, {"HONE_HEARTBEAT_S", "0.5"}}).lease,
            std::chrono::milliseconds(1500));
}

TEST(Config, NamesTheVariableThatIsWrong) {
  EXPECT_THAT(complaint_of({{"HONE_LEASE_S", "soon"}}), HasSubstr("HONE_LEASE_S"));
  EXPECT_THAT(complaint_of({{"HONE_LEASE_S", "nan"}}), HasSubstr("HONE_LEASE_S"));
  EXPECT_THAT(complaint_of({{"HONE_LEASE_S", "2"}, {"HONE_HEARTBEAT_S", "2"}}),
              HasSubstr("HONE_HEARTBEAT_S"));
  EXPECT_THAT(complaint_of({{"HONE_LISTEN", "127.0.0.1:99999"}}), HasSubstr("HONE_LISTEN"));
  EXPECT_THAT(complaint_of({{"HONE_LISTEN_NEXT_FREE", "yes"}}), HasSubstr("HONE_LISTEN_NEXT_FREE"));
  EXPECT_THAT(complaint_of({{"HONE_PUBLIC_URL", "hone.example"}}), HasSubstr("HONE_PUBLIC_URL"));
}

TEST(Config, ReadsAddressesOfBothFamilies) {
  EXPECT_EQ(parse_address("[::1]:80").host, "::1");
  EXPECT_EQ(parse_address("9000").port, 9000);
  EXPECT_THROW(parse_address("::1:80"), Error);
  EXPECT_THROW(parse_address("host:"), Error);
}

class SecretsFolder : public testing::Test {
 protected:
  SecretsFolder()
      : folder_(std::filesystem::path(testing::TempDir()) /
                ("hone_secrets_" + std::to_string(::getpid()))) {}
  ~SecretsFolder() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path folder_;
};

TEST_F(SecretsFolder, DrawsASecretOnceAndKeepsItFromOthers) {
  const auto first = read_or_make_secret(folder_, "key").reveal();
  EXPECT_EQ(first.size(), 32u);
  EXPECT_EQ(read_or_make_secret(folder_, "key").reveal(), first);
  EXPECT_NE(read_or_make_secret(folder_, "other").reveal(), first);
  struct stat about {};
  ASSERT_EQ(stat((folder_ / "key").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600u);
}

TEST_F(SecretsFolder, RefusesASecretThatOthersCouldRead) {
  read_or_make_secret(folder_, "key");
  std::filesystem::permissions(folder_ / "key", std::filesystem::perms(0644));
  EXPECT_THROW(read_or_make_secret(folder_, "key"), Error);
}

TEST_F(SecretsFolder, RefusesASecretThatWasCutShort) {
  read_or_make_secret(folder_, "key");
  std::filesystem::resize_file(folder_ / "key", 5);
  EXPECT_THROW(read_or_make_secret(folder_, "key"), Error);
}

TEST(Log, WritesOneJsonObjectALineWhateverTheTextIs) {
  const auto line = log_line(Level::Warning, "hone-test", "odd",
                             {{"text", "a\nb\"\xff"}, {"count", 3}, {"share", 0.5}, {"ok", true}},
                             "2026-01-01T00:00:00.000Z");
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const auto json = nlohmann::json::parse(line);
  EXPECT_EQ(json["level"], "warning");
  EXPECT_EQ(json["event"], "odd");
  EXPECT_EQ(json["count"], 3);
  EXPECT_EQ(json["ok"], true);
  EXPECT_EQ(json["text"].get<std::string>().substr(0, 4), "a\nb\"");
}

TEST(Time, IsWrittenInUtcWithMilliseconds) {
  // 2026-01-31 09:30:00.250 UTC is 1,769,851,800.250 s after the epoch.
  EXPECT_EQ(to_rfc3339(std::chrono::system_clock::time_point(
                std::chrono::milliseconds(1'769'851'800'250))),
            "2026-01-31T09:30:00.250Z");
}

}  // namespace
}  // namespace hone::shared
