// The claim loop itself on a real PostgreSQL and Redis: judge jobs, which need no hone-run.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "services/worker/worker.h"
#include "storage/redis/redis.h"
#include "storage/repo/jobs.h"
#include "tests/integration/storage/world.h"

namespace hone::worker {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using storage::Tx;

class Judge : public ::testing::Test {
 protected:
  void SetUp() override {
    home = std::filesystem::temp_directory_path() / ("hone-judge-" + std::to_string(getpid()));
    settings.name = "test:1";
    settings.jobs = home / "jobs";
    settings.poll = 50ms;
    settings.lease = 2s;
    settings.heartbeat = {100ms, 1600ms, 60s};
  }
  void TearDown() override { std::filesystem::remove_all(home); }

  CriticId add_critic(const std::string& rules) {
    return world.app.transact(world.team, [&](Tx& tx) {
      return storage::insert_critic(tx, {.project = world.project.id,
                                         .name = "rules",
                                         .spec = rules,
                                         .spec_sha256 = storage::sha256_hex(rules),
                                         .created_by = world.user})
          .id;
    });
  }
  JobId ask(const CriticId& critic) {
    const auto spec = nlohmann::json{{"critic", critic.value}}.dump();
    return world.app.transact(world.team, [&](Tx& tx) {
      return storage::insert_job(tx, {.project = world.project.id,
                                      .kind = "judge",
                                      .spec = spec,
                                      .spec_sha256 = storage::sha256_hex(spec),
                                      .created_by = world.user});
    });
  }
  storage::Job job(const JobId& id) {
    return world.app.transact(world.team, [&](Tx& tx) { return storage::get_job(tx, id); });
  }
  // Works until the job has ended, then stops.
  storage::Job work_until_ended(const JobId& id) {
    Store store(world.url, home / "store");
    Waker waker("", "cpu", settings.name, settings.poll);
    std::stop_source stop;
    std::thread worker([&] { work(settings, store, waker, stop.get_token()); });
    const auto end = Clock::now() + 30s;
    auto now = job(id);
    while (!storage::is_final_state(now.state) && Clock::now() < end) {
      std::this_thread::sleep_for(20ms);
      now = job(id);
    }
    stop.request_stop();
    worker.join();
    return now;
  }

  storage::World world;
  std::filesystem::path home;
  Settings settings;
};

TEST_F(Judge, GivesEveryComparisonAVerdictOnceAndNeverAgain) {
  world.add_comparisons(450);  // more than two pages
  const auto critic = add_critic(R"({"rules":[{"type":"contains","text":"yes"}]})");
  const auto first = work_until_ended(ask(critic));
  ASSERT_EQ(first.state, "succeeded") << first.error;
  EXPECT_EQ(nlohmann::json::parse(first.result),
            (nlohmann::json{{"judged", 450}, {"without_verdict", 0}}));

  // "yes ..." always wins, wherever it lies; the gap of 1 is the strongest.
  const auto of_rules = std::string(
      "FROM judgments j JOIN comparison_responses c ON c.comparison_id = j.comparison_id AND "
      "c.slot = CASE WHEN j.strength > 0 THEN 0 ELSE 1 END "
      "JOIN responses r ON r.id = c.response_id WHERE j.judge_kind = 'rule'");
  EXPECT_EQ(world.count("SELECT count(*) " + of_rules +
                        " AND abs(j.strength) = 3 AND j.verdict = 'prefer'"),
            450);
  EXPECT_EQ(
      world.count("SELECT count(*) " + of_rules + " AND r.messages->0->>'content' NOT LIKE 'yes%'"),
      0);

  const auto again = work_until_ended(ask(critic));
  EXPECT_EQ(nlohmann::json::parse(again.result),
            (nlohmann::json{{"judged", 0}, {"without_verdict", 0}}));
  EXPECT_EQ(world.count("SELECT count(*) FROM judgments WHERE judge_kind = 'rule'"), 450);
}

TEST_F(Judge, GivesNoVerdictWhereAPatternRunsOutOfItsBounds) {
  // (a+)+$ needs exponential work on a row of a's that ends otherwise.
  world.add_comparisons(3, std::string(60, 'a') + "!");
  const auto end = work_until_ended(
      ask(add_critic(R"({"rules":[{"type":"matches","pattern":"^(yes|no) (a+)+$"}]})")));
  ASSERT_EQ(end.state, "succeeded") << end.error;
  const auto result = nlohmann::json::parse(end.result);
  EXPECT_EQ(result["judged"].get<int>() + result["without_verdict"].get<int>(), 3);
  EXPECT_EQ(world.count("SELECT count(*) FROM judgments WHERE judge_kind = 'rule'"),
            result["judged"].get<int>());
}

TEST_F(Judge, EndsAJobWhoseCriticCannotBeReadWithinTheBudgetOfABug) {
  const auto id = ask(add_critic(R"({"rules":[{"type":"unheard_of"}]})"));
  const auto end = work_until_ended(id);
  EXPECT_EQ(end.state, "dead");
  EXPECT_EQ(world.count("SELECT count(*) FROM job_attempts WHERE blame = 'bug'"), 2);  // one retry
}

TEST_F(Judge, DoesNotBeginWhatWasCancelled) {
  world.add_comparisons(3);
  const auto id = ask(add_critic(R"({"rules":[{"type":"contains","text":"yes"}]})"));
  world.app.transact(world.team, [&](Tx& tx) { storage::cancel_job(tx, id, world.user); });
  EXPECT_EQ(work_until_ended(id).state, "cancelled");
  EXPECT_EQ(world.count("SELECT count(*) FROM judgments WHERE judge_kind = 'rule'"), 0);
}

std::chrono::milliseconds waited(Waker& waker) {
  const auto began = Clock::now();
  waker.wait(std::stop_token());
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began);
}

TEST(Waker, IsWokenByAMessage) {
  const auto url = test::LocalServices::shared().redis_url();
  Waker waker(url, "woken", "one", 20s);
  storage::Redis redis(storage::parse_redis_url(url));
  std::thread sender([&] {
    std::this_thread::sleep_for(300ms);
    redis.xadd(storage::jobs_stream("woken"), {{"job_id", "x"}});
  });
  EXPECT_LT(waited(waker), 5s);
  sender.join();
  waker.taken();
  // Acknowledged: nobody is woken by it again.
  EXPECT_TRUE(
      redis.xautoclaim(storage::jobs_stream("woken"), storage::kWorkersGroup, "two", 0ms, 10)
          ->empty());
}

TEST(Waker, IsWokenByTheClockWithoutRedis) {
  Waker none("", "clock", "one", 400ms),
      away("unix:/no/such.sock?password=x", "clock", "one", 400ms);
  for (auto* waker : {&none, &away}) {
    const auto took = waited(*waker);
    EXPECT_GE(took, 290ms);  // 400 ms less a quarter, and a rounding
    EXPECT_LT(took, 1500ms);
  }
}

}  // namespace
}  // namespace hone::worker
