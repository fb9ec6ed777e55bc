// What storage does when its servers are slow, gone, or come back.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <functional>
#include <thread>

#include "storage/postgres/listener.h"
#include "storage/redis/redis.h"
#include "storage/repo/idempotency.h"
#include "storage/repo/outbox.h"
#include "tests/integration/storage/world.h"

namespace hone::storage {
namespace {

using Clock = std::chrono::steady_clock;
using test::LocalServices;
using namespace std::chrono_literals;

Code code_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& e) {
    return e.code();
  }
  ADD_FAILURE() << "nothing was thrown";
  return Code::Invalid;
}

TEST(Pool, SaysBusyWhenNoConnectionIsFreeInTime) {
  World world;
  Pool one({.conninfo = world.url, .role = "hone_app", .size = 1, .acquire_timeout = 100ms});
  one.transact([&](Tx&) {
    const auto start = Clock::now();
    EXPECT_EQ(code_of([&] { one.transact([](Tx&) {}); }), Code::Busy);
    EXPECT_LT(Clock::now() - start, 2s);
  });
  EXPECT_TRUE(one.ping());
}

TEST(Pool, EndsAStatementThatTakesTooLong) {
  World world;
  Pool hasty({.conninfo = world.url, .role = "hone_app", .size = 1, .statement_timeout = 100ms});
  EXPECT_EQ(code_of([&] { hasty.transact([](Tx& tx) { exec(tx, "SELECT pg_sleep(10)"); }); }),
            Code::Busy);
  EXPECT_TRUE(hasty.ping()) << "the connection is as good as before";
}

TEST(Pool, RetriesADeadlockUntilBothAreDone) {
  World world;
  world.value(
      "CREATE TABLE two (id int PRIMARY KEY, n int); GRANT ALL ON two TO hone_app; "
      "INSERT INTO two VALUES (1, 0), (2, 0); SELECT 1");
  std::atomic<int> runs{0};
  const auto both = [&](int first) {
    world.app.transact([&](Tx& tx) {
      ++runs;
      exec(tx, "UPDATE two SET n = n + 1 WHERE id = $1", first);
      std::this_thread::sleep_for(50ms);
      exec(tx, "UPDATE two SET n = n + 1 WHERE id = $1", 3 - first);
    });
  };
  std::thread other([&] { both(1); });
  both(2);
  other.join();
  EXPECT_EQ(world.value("SELECT string_agg(n::text, ',') FROM two"), "2,2");
  EXPECT_GT(runs, 2) << "they never met";
}

TEST(Pool, RollsBackWhatThrows) {
  World world;
  EXPECT_THROW(world.app.transact(world.team,
                                  [&](Tx& tx) {
                                    insert_project(tx, {.slug = "gone", .name = "Gone"});
                                    throw std::runtime_error("no");
                                  }),
               std::runtime_error);
  EXPECT_EQ(world.count("SELECT count(*) FROM projects"), 1);
}

TEST(Pool, TellsWhatACallerCanDoAboutAFailure) {
  World world;
  const auto insert = [&](const NewProject& given) {
    return code_of(
        [&] { world.app.transact(world.team, [&](Tx& tx) { insert_project(tx, given); }); });
  };
  EXPECT_EQ(insert({.slug = "p", .name = "P"}), Code::Conflict);
  EXPECT_EQ(insert({.slug = "Not a slug", .name = "P"}), Code::Invalid);
  EXPECT_EQ(insert({.slug = "zero", .name = std::string("a\0b", 3)}), Code::Invalid);
  EXPECT_EQ(code_of([&] {
              world.app.transact(world.team, [](Tx& tx) { get_project(tx, {"not-a-uuid"}); });
            }),
            Code::Invalid);
  EXPECT_EQ(code_of([&] {
              world.app.transact(world.team, [](Tx& tx) { get_project(tx, {new_uuid()}); });
            }),
            Code::NotFound);
  Pool nowhere({.conninfo = "host=/nowhere dbname=x", .role = "", .size = 1});
  EXPECT_EQ(code_of([&] { nowhere.transact([](Tx&) {}); }), Code::Busy);
}

TEST(Pool, HealsByItselfAfterPostgresRestarted) {
  World world;
  auto& services = LocalServices::shared();
  ASSERT_TRUE(world.app.ping());
  Listener listener(world.url, kEventsChannel);
  listener.wait(10ms);
  services.stop_postgres();
  EXPECT_FALSE(world.app.ping());
  EXPECT_TRUE(listener.wait(100ms).empty());
  services.start_postgres();
  EXPECT_NO_THROW(world.app.transact(world.team, [](Tx& tx) { list_projects(tx); }))
      << "nobody notices a connection that died in the pool";
  listener.wait(10ms);
  world.add_job("sample", "{}");
  EXPECT_FALSE(listener.wait(5s).empty());
}

// kill -9 of the server while answers come in: what was acknowledged is there, once, and a resend
// under the same key finds out what became of the others.
TEST(Judgments, ThatWereAcknowledgedOutliveAKilledServer) {
  World world;
  auto& services = LocalServices::shared();
  world.add_comparisons(400);
  std::atomic<int> acknowledged{0};
  std::atomic<bool> stop{false};
  const auto label = [&](const JudgeId& who) {
    std::optional<NewJudgment> unsure;
    while (!stop) try {
        if (!unsure) {
          const auto out = world.ask(who);
          if (out.items.empty()) return;
          unsure = world.answer(who, out.items[0], 1);
        }
        const auto recorded = world.record(*unsure);
        EXPECT_NE(recorded.outcome, Outcome::KeyReused);
        unsure.reset();
        ++acknowledged;
      } catch (const Error& e) {
        EXPECT_EQ(e.code(), Code::Busy) << e.what();
        std::this_thread::sleep_for(10ms);
      }
  };
  std::vector<JudgeId> judges;
  for (int i = 0; i < 3; ++i) judges.push_back(world.another_judge("j" + std::to_string(i)));
  std::vector<std::thread> threads;
  for (const auto& judge : judges) threads.emplace_back(label, judge);
  for (int kill = 0; kill < 2; ++kill) {
    std::this_thread::sleep_for(400ms);
    services.kill_postgres();
    services.start_postgres();
  }
  const auto end = Clock::now() + 20s;
  while (acknowledged < 400 && Clock::now() < end) std::this_thread::sleep_for(20ms);
  stop = true;
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(acknowledged, 400);
  EXPECT_EQ(world.count("SELECT count(*) FROM judgments"), 400) << "none lost, none doubled";
  EXPECT_EQ(world.miscounted(), 0);
}

TEST(Idempotency, ReplaysRefusesAndNeverWaits) {
  World world;
  IdempotencyKey key{
      .actor = "user:a", .route = "POST /x", .key = "k", .body_sha256 = sha256_hex("body")};
  const auto begin = [&](const IdempotencyKey& given) {
    return world.app.transact(world.team,
                              [&](Tx& tx) { return begin_idempotent(tx, given).state; });
  };
  world.app.transact(world.team, [&](Tx& tx) {
    EXPECT_EQ(begin_idempotent(tx, key).state, KeyState::Fresh);
    EXPECT_EQ(begin(key), KeyState::InFlight) << "a copy that comes meanwhile";
    save_reply(tx, key, {201, "{\"id\":1}"});
  });
  world.app.transact(world.team, [&](Tx& tx) {
    const auto found = begin_idempotent(tx, key);
    EXPECT_EQ(found.state, KeyState::Replay);
    EXPECT_EQ(found.reply.status, 201);
    EXPECT_EQ(found.reply.body, "{\"id\":1}");
  });
  key.body_sha256 = sha256_hex("another");
  EXPECT_EQ(begin(key), KeyState::KeyReused);
  world.value("UPDATE idempotency SET created_at = now() - interval '25 hours'");
  EXPECT_EQ(begin(key), KeyState::Fresh);
}

class RedisTest : public ::testing::Test {
 protected:
  LocalServices& services = LocalServices::shared();
  Redis redis{parse_redis_url(services.redis_url())};
};

TEST_F(RedisTest, DeliversAMessageToOneOfAGroupAndToWhoeverClaimsItLater) {
  const std::string stream = "s1", group = "g";
  Redis other(parse_redis_url(services.redis_url()));
  ASSERT_TRUE(redis.xadd(stream, {{"job_id", "one"}})) << "the group does not exist yet";
  const auto taken = redis.xreadgroup(stream, group, "a", 10, 100ms);
  ASSERT_TRUE(taken);
  ASSERT_EQ(taken->size(), 1U);
  EXPECT_EQ(taken->at(0).fields.at("job_id"), "one");
  EXPECT_EQ(other.xreadgroup(stream, group, "b", 10, 10ms)->size(), 0U);
  EXPECT_EQ(other.xautoclaim(stream, group, "b", 0ms, 10)->size(), 1U);
  EXPECT_TRUE(other.xack(stream, group, taken->at(0).id));
  EXPECT_EQ(other.xautoclaim(stream, group, "b", 0ms, 10)->size(), 0U);
}

TEST_F(RedisTest, WakesAReaderThatWaits) {
  std::thread sender([this] {
    std::this_thread::sleep_for(100ms);
    Redis(parse_redis_url(services.redis_url())).xadd("s2", {{"job_id", "one"}});
  });
  const auto start = Clock::now();
  EXPECT_EQ(redis.xreadgroup("s2", "g", "a", 1, 5s)->size(), 1U);
  EXPECT_LT(Clock::now() - start, 3s);
  sender.join();
}

TEST_F(RedisTest, PassesPublishedHintsOn) {
  Redis listener(parse_redis_url(services.redis_url()));
  EXPECT_FALSE(listener.next_published("c", 10ms));
  std::thread sender([this] {
    for (int i = 0; i < 20; ++i) {
      redis.publish("c", "hello");
      std::this_thread::sleep_for(20ms);
    }
  });
  EXPECT_EQ(listener.next_published("c", 5s), "hello");
  sender.join();
}

TEST_F(RedisTest, IsAnAbsentValueWhenItIsGoneAndComesBackByItself) {
  ASSERT_TRUE(redis.ping());
  services.kill_redis();
  const auto start = Clock::now();
  EXPECT_FALSE(redis.ping());
  EXPECT_FALSE(redis.xadd("s3", {{"a", "b"}}));
  EXPECT_FALSE(redis.xreadgroup("s3", "g", "a", 1, 200ms));
  EXPECT_FALSE(redis.publish("c", "x"));
  EXPECT_LT(Clock::now() - start, 2s);
  services.start_redis();
  const auto end = Clock::now() + 5s;
  while (!redis.ping() && Clock::now() < end) std::this_thread::sleep_for(50ms);
  EXPECT_TRUE(redis.ping());
  EXPECT_EQ(redis.xreadgroup("s3", "g", "a", 1, 10ms)->size(), 0U)
      << "a flushed Redis gets its group again";
}

TEST_F(RedisTest, RefusesAWrongPassword) {
  auto address = parse_redis_url(services.redis_url());
  address.password = "wrong";
  EXPECT_FALSE(Redis(address).ping());
}

TEST_F(RedisTest, ThatHangsCostsItsTimeoutAndNoMore) {
  // A socket that accepts and never answers.
  const auto path = services.folder() / "deaf.sock";
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "%s", path.c_str());
  ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(fd, 8), 0);
  Redis deaf(RedisAddress{.socket = path.string(), .host = "", .password = ""}, 200ms);
  const auto start = Clock::now();
  EXPECT_FALSE(deaf.ping());
  EXPECT_LT(Clock::now() - start, 1s);
  ::close(fd);
}

}  // namespace
}  // namespace hone::storage
