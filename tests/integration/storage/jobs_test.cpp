// Jobs on a real database: one owner at a time, every late write refused, nothing lost.
#include <cstdint>
#include <mutex>
#include <set>
#include <thread>

#include "storage/postgres/listener.h"
#include "storage/repo/models.h"
#include "storage/repo/outbox.h"
#include "storage/repo/reaper.h"
#include "tests/integration/storage/world.h"

namespace hone::storage {
namespace {

struct JobWorld : World {
  std::string sample_spec() { return R"({"base":")" + add_base().value + R"(","split":"all"})"; }

  template <class F>
  auto as_worker(F f) {
    return worker.transact(f);
  }
  std::string state(const JobId& job) {
    return app.transact(team, [&](Tx& tx) { return get_job(tx, job).state; });
  }
  std::vector<std::string> event_types(const JobId& job) {
    std::vector<std::string> types;
    for (const auto& event : app.transact(team, [&](Tx& tx) { return list_events(tx, job, 0); }))
      types.push_back(event.type);
    return types;
  }
  /// What the reaper does once the counter stood still.
  std::string reap(const JobId& job) {
    return app.transact([&](Tx& tx) {
      for (const auto& beat : list_heartbeats(tx).held)
        if (beat.job == job) return reap_job(tx, beat);
      return std::string("not held");
    });
  }
};

TEST(Claims, OfOneJobByManyHaveOneWinner) {
  JobWorld world;
  const auto spec = world.sample_spec();
  for (int round = 0; round < 5; ++round) {
    const auto job = world.add_job("sample", spec);
    std::vector<std::optional<Lease>> leases(6);
    std::vector<std::thread> threads;
    for (int i = 0; i < 6; ++i)
      threads.emplace_back([&, i] { leases[i] = world.claim("w" + std::to_string(i)); });
    for (auto& thread : threads) thread.join();
    int won = 0;
    for (const auto& lease : leases)
      if (lease) {
        ++won;
        EXPECT_EQ(lease->job, job);
        EXPECT_EQ(lease->team, world.team);
        EXPECT_EQ(lease->epoch, 1);
      }
    EXPECT_EQ(won, 1);
  }
}

TEST(Claims, TakeTheTeamWithFewestRunningJobsFirst) {
  JobWorld world;
  const auto spec = world.sample_spec();
  const auto first = world.add_job("sample", spec);
  world.add_job("sample", spec);
  const auto other = world.app.transact([](Tx& tx) { return insert_team(tx, "other", "Other"); });
  const auto theirs = world.app.transact(other, [&](Tx& tx) {
    const auto project = insert_project(tx, {.slug = "q", .name = "Q"});
    return insert_job(
        tx, {.project = project.id, .kind = "sample", .spec = "{}", .spec_sha256 = sha256_hex("")});
  });
  EXPECT_EQ(world.claim()->job, first);
  EXPECT_EQ(world.claim()->job, theirs) << "younger, but its team has nothing running";
}

TEST(Claims, FindNothingOfAnotherKindOrClassOrBeforeItsTime) {
  JobWorld world;
  const auto job = world.add_job("sample", world.sample_spec());
  world.as_worker([](Tx& tx) {
    EXPECT_FALSE(claim_job(tx, {.name = "w", .gpu_class = "h200"}, {"sample"}));
    EXPECT_FALSE(claim_job(tx, {.name = "w"}, {"train"}));
  });
  world.value("UPDATE jobs SET run_after = now() + interval '1 minute'");
  EXPECT_FALSE(world.claim());
  world.app.transact(world.team, [&](Tx& tx) {
    EXPECT_NE(get_job(tx, job).waiting.find("backoff"), std::string::npos);
  });
}

TEST(Leases, RefuseEveryWriteOfAnOlderEpochAndOfAWrongToken) {
  JobWorld world;
  world.add_comparisons(2);
  const auto base = world.add_base();
  world.record(world.answer(world.judge, world.ask(world.judge).items.at(0), 1));
  const auto run = world.add_run(base, world.add_snapshot());
  const auto old = world.claim().value();
  EXPECT_EQ(world.reap(run), "queued");
  auto fresh = world.claim().value();
  EXPECT_EQ(fresh.epoch, old.epoch + 1);
  auto forged = fresh;
  forged.token = "guess";

  const auto before = world.value(
      "SELECT md5(string_agg(j::text || coalesce(e::text, ''), ',' ORDER BY e.seq)) "
      "FROM jobs j LEFT JOIN job_events e ON e.job_id = j.id");
  for (const auto& lease : {old, forged}) {
    const auto stale = [&](auto write) {
      return world.as_worker([&](Tx& tx) { return write(tx, lease); });
    };
    EXPECT_EQ(stale([](Tx& tx, const Lease& l) {
                return renew_lease(tx, l, std::chrono::seconds(1)).written;
              }),
              Written::Stale);
    EXPECT_EQ(stale([](Tx& tx, const Lease& l) { return advance_job(tx, l, "running"); }),
              Written::Stale);
    EXPECT_EQ(
        stale([](Tx& tx, const Lease& l) { return record_event(tx, l, {.type = "message"}); }),
        Written::Stale);
    EXPECT_EQ(stale([](Tx& tx, const Lease& l) {
                return adopt_checkpoint(
                    tx, l, {.step = 1, .path = "c", .manifest_sha256 = sha256_hex("c")});
              }),
              Written::Stale);
    EXPECT_EQ(
        stale([](Tx& tx, const Lease& l) { return finish_job(tx, l, {.state = "succeeded"}); }),
        Written::Stale);
    EXPECT_EQ(stale([](Tx& tx, const Lease& l) {
                return give_up_job(tx, l, {.blame = "infra"}).written;
              }),
              Written::Stale);
    EXPECT_EQ(stale([](Tx& tx, const Lease& l) { return record_responses(tx, l, "[]").written; }),
              Written::Stale);
    EXPECT_EQ(
        stale([](Tx& tx, const Lease& l) { return record_critic_judgments(tx, l, "[]").written; }),
        Written::Stale);
    EXPECT_EQ(world.publish(lease).written, Written::Stale);
    EXPECT_THROW(stale([](Tx& tx, const Lease& l) { return job_inputs(tx, l).prompts; }),
                 StaleLease);
    EXPECT_THROW(stale([](Tx& tx, const Lease& l) { return job_prompts(tx, l, {}, 1).size(); }),
                 StaleLease);
    EXPECT_THROW(stale([](Tx& tx, const Lease& l) { return job_comparisons(tx, l, {}, 1).size(); }),
                 StaleLease);
    EXPECT_THROW(stale([](Tx& tx, const Lease& l) { return newest_checkpoints(tx, l).size(); }),
                 StaleLease);
  }
  EXPECT_EQ(
      world.value("SELECT md5(string_agg(j::text || coalesce(e::text, ''), ',' ORDER BY e.seq)) "
                  "FROM jobs j LEFT JOIN job_events e ON e.job_id = j.id"),
      before)
      << "not a byte";
  EXPECT_EQ(world.publish(fresh).written, Written::Now) << "the owner's own writes still count";
}

TEST(Leases, AreRenewedByCounterAndTellOfACancel) {
  JobWorld world;
  const auto job = world.add_job("sample", world.sample_spec());
  const auto lease = world.claim().value();
  const auto renew = [&] {
    return world.as_worker(
        [&](Tx& tx) { return renew_lease(tx, lease, std::chrono::seconds(15)); });
  };
  EXPECT_FALSE(renew().cancel);
  EXPECT_EQ(world.count("SELECT heartbeat_no FROM jobs"), 1);
  world.app.transact(
      world.team, [&](Tx& tx) { EXPECT_EQ(cancel_job(tx, job, world.user).state, "cancelling"); });
  EXPECT_TRUE(renew().cancel);
  EXPECT_EQ(world.as_worker([&](Tx& tx) { return finish_job(tx, lease, {.state = "succeeded"}); }),
            Written::Now);
  EXPECT_EQ(world.state(job), "cancelled") << "the cancel came first";
  EXPECT_EQ(world.as_worker([&](Tx& tx) { return finish_job(tx, lease, {.state = "cancelled"}); }),
            Written::Now)
      << "a resend of the same end";
  EXPECT_THROW(world.app.transact(world.team, [&](Tx& tx) { cancel_job(tx, job, {}); }), Error);
}

TEST(Jobs, ThatWaitAreCancelledAtOnce) {
  JobWorld world;
  const auto job = world.add_job("sample", world.sample_spec());
  world.app.transact(world.team,
                     [&](Tx& tx) { EXPECT_EQ(cancel_job(tx, job, {}).state, "cancelled"); });
  EXPECT_FALSE(world.claim());
}

TEST(Jobs, TellTheirStoryInEventsWithoutGaps) {
  JobWorld world;
  const auto job = world.add_job("sample", world.sample_spec());
  const auto lease = world.claim().value();
  world.as_worker([&](Tx& tx) {
    advance_job(tx, lease, "running");
    record_event(tx, lease,
                 {.type = "progress", .data = R"({"stage":"sample","done":1,"total":4})"});
    record_event(
        tx, lease,
        {.type = "metrics", .data = R"({"step":3,"total_steps":9,"values":{"loss":0.5}})"});
    finish_job(tx, lease, {.state = "succeeded", .result = R"({"responses":2})"});
  });
  EXPECT_EQ(world.event_types(job),
            (std::vector<std::string>{"created", "queued", "claimed", "started", "progress",
                                      "metrics", "succeeded"}));
  EXPECT_EQ(world.count("SELECT count(*) - max(seq) FROM job_events"), 0);
  world.app.transact(world.team, [&](Tx& tx) {
    const auto read = get_job(tx, job);
    EXPECT_EQ(read.metrics, R"({"loss": 0.5})");
    EXPECT_NE(read.progress.find(R"("step": 3)"), std::string::npos);
    EXPECT_NE(read.progress.find(R"("stage": "sample")"), std::string::npos);
    EXPECT_EQ(read.result, R"({"responses": 2})");
    EXPECT_TRUE(read.finished_at);
    EXPECT_EQ(list_events(tx, job, 5).size(), 2U);
    EXPECT_EQ(list_attempts(tx, job).at(0).outcome, "succeeded");
  });
}

TEST(Jobs, AreHeardOfWithoutPolling) {
  JobWorld world;
  Listener listener(world.url, kEventsChannel);
  EXPECT_TRUE(listener.wait(std::chrono::milliseconds(10)).empty());
  const auto job = world.add_job("sample", world.sample_spec());
  const auto heard = listener.wait(std::chrono::seconds(5));
  ASSERT_FALSE(heard.empty());
  EXPECT_EQ(heard[0], job.value);
}

TEST(GivingUp, RetriesByWhoseFaultItWas) {
  JobWorld world;
  const auto give_up = [&](const std::string& blame, const std::string& signature = "") {
    world.value("UPDATE jobs SET run_after = now() WHERE state = 'queued'");
    const auto lease = world.claim().value();
    return world.as_worker([&](Tx& tx) {
      return give_up_job(tx, lease,
                         {.blame = blame, .code = "x", .detail = "d", .exit_signature = signature})
          .state;
    });
  };
  const auto spec = world.sample_spec();
  world.add_job("sample", spec);
  EXPECT_EQ(give_up("user"), "failed");

  world.add_job("sample", spec);
  EXPECT_EQ(give_up("bug"), "queued");
  EXPECT_EQ(give_up("bug"), "dead");

  world.add_job("sample", spec);
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(give_up("drained"), "queued") << "being told to leave costs nothing";
  for (int i = 0; i < 10; ++i) EXPECT_EQ(give_up("infra"), "queued") << i;
  EXPECT_EQ(give_up("infra"), "dead");

  world.add_job("sample", spec);
  EXPECT_EQ(give_up("infra", "signal 11"), "queued");
  EXPECT_EQ(give_up("infra", "signal 11"), "queued");
  EXPECT_EQ(give_up("infra", "signal 11"), "dead") << "three equal deaths at one step are poison";
}

TEST(GivingUp, RetriesAtOnceFirstAndThenAfterABackOff) {
  JobWorld world;
  world.add_job("sample", world.sample_spec());
  const auto wait_s = [&] {
    return std::stod(world.value("SELECT extract(epoch FROM run_after - now()) FROM jobs"));
  };
  const auto give_up = [&] {
    world.value("UPDATE jobs SET run_after = now()");
    const auto lease = world.claim().value();
    world.as_worker([&](Tx& tx) { give_up_job(tx, lease, {.blame = "infra"}); });
  };
  give_up();
  EXPECT_LT(wait_s(), 0.1);
  give_up();  // 15 s +- 25 %
  EXPECT_GT(wait_s(), 11);
  EXPECT_LT(wait_s(), 19);
  give_up();  // 30 s +- 25 %
  EXPECT_GT(wait_s(), 22);
  EXPECT_LT(wait_s(), 38);
}

TEST(Reaper, TakesBackALeaseWhoseCounterStoodStillAndNoOther) {
  JobWorld world;
  const auto job = world.add_job("sample", world.sample_spec());
  const auto lease = world.claim().value();
  Heartbeat seen;
  world.app.transact([&](Tx& tx) { seen = list_heartbeats(tx).held.at(0); });
  world.as_worker([&](Tx& tx) { renew_lease(tx, lease, std::chrono::seconds(1)); });
  world.app.transact([&](Tx& tx) { EXPECT_EQ(reap_job(tx, seen), "") << "it beat since"; });
  EXPECT_EQ(world.reap(job), "queued");
  EXPECT_EQ(world.event_types(job).at(3), "lease_lost");
  EXPECT_EQ(world.claim()->epoch, 2);
}

TEST(Reaper, EndsACancelledJobWhoseWorkerIsGone) {
  JobWorld world;
  const auto job = world.add_job("sample", world.sample_spec());
  ASSERT_TRUE(world.claim());
  world.app.transact(world.team, [&](Tx& tx) { cancel_job(tx, job, {}); });
  EXPECT_EQ(world.reap(job), "cancelled");
}

TEST(Reaper, IsOneAtATime) {
  JobWorld world;
  world.app.transact([&](Tx& tx) {
    EXPECT_TRUE(list_heartbeats(tx).mine);
    world.app.transact([](Tx& other) { EXPECT_FALSE(list_heartbeats(other).mine); });
  });
  world.app.transact([](Tx& tx) { EXPECT_TRUE(list_heartbeats(tx).mine); });
}

TEST(Reaper, NudgesAQueuedJobWhoseWakeUpWasLost) {
  JobWorld world;
  world.add_job("sample", world.sample_spec());
  EXPECT_EQ(world.app.transact([](Tx& tx) { return nudge_queued_jobs(tx); }), 0);
  world.value(
      "UPDATE jobs SET nudged_at = now() - interval '31 seconds', run_after = now() - interval '31 "
      "seconds'");
  EXPECT_EQ(world.app.transact([](Tx& tx) { return nudge_queued_jobs(tx); }), 1);
  EXPECT_EQ(world.app.transact([](Tx& tx) { return nudge_queued_jobs(tx); }), 0);
  EXPECT_EQ(world.count("SELECT count(*) FROM outbox"), 2);
}

TEST(Checkpoints, AreAdoptedOnceAndReadNewestFirstByTheNextOwner) {
  JobWorld world;
  const auto job = world.add_job("sample", world.sample_spec());
  const auto adopt = [&](const Lease& lease, std::int64_t step) {
    return world.as_worker([&](Tx& tx) {
      return adopt_checkpoint(tx, lease,
                              {.step = step,
                               .path = "e" + std::to_string(lease.epoch) + "/step",
                               .manifest_sha256 = sha256_hex("c"),
                               .bytes = 7});
    });
  };
  const auto first = world.claim().value();
  EXPECT_EQ(adopt(first, 10), Written::Now);
  EXPECT_EQ(adopt(first, 20), Written::Now);
  EXPECT_EQ(adopt(first, 20), Written::Now) << "a resend";
  world.reap(job);
  const auto second = world.claim().value();
  const auto seen = world.as_worker([&](Tx& tx) { return job_inputs(tx, second).checkpoints; });
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen[0].step, 20);
  EXPECT_EQ(seen[0].epoch, 1);
  EXPECT_EQ(seen[0].path, "e1/step");
}

TEST(TrainJobs, AreMeasuredOnTheHeldOutPromptsOfTheirStart) {
  JobWorld world;
  const auto import = [&](const std::string& text) {
    world.app.transact(world.team, [&](Tx& tx) {
      const auto made = insert_import(tx, {.project = world.project.id,
                                           .format = "prompts",
                                           .file_sha256 = sha256_hex(text),
                                           .judge_name = text});
      import_rows(tx, made, world.project.id,
                  "[{\"split\":\"held_out\",\"prompt\":" + World::said("user", text) + "}]");
    });
  };
  import("before");
  world.add_job("train", "{}");
  import("after");
  const auto lease = world.claim().value();
  const auto prompts = world.as_worker([&](Tx& tx) { return job_prompts(tx, lease, {}, 10); });
  ASSERT_EQ(prompts.size(), 1U);
  EXPECT_NE(prompts[0].messages.find("before"), std::string::npos);
}

TEST(SampleJobs, MakeComparisonsOfDistinctTextsOnceAPromptIsComplete) {
  JobWorld world;
  const auto base = world.add_base();
  world.app.transact(world.team, [&](Tx& tx) {
    const auto import = insert_import(tx, {.project = world.project.id,
                                           .format = "prompts",
                                           .file_sha256 = sha256_hex("f"),
                                           .judge_name = "f"});
    import_rows(tx, import, world.project.id,
                "[{\"prompt\":" + World::said("user", "one") +
                    "},{\"prompt\":" + World::said("user", "two") + "}]");
  });
  world.add_job("sample",
                R"({"base":")" + base.value + R"(","split":"all","responses_per_prompt":3})");
  const auto lease = world.claim().value();
  const auto inputs = world.as_worker([&](Tx& tx) { return job_inputs(tx, lease); });
  EXPECT_EQ(inputs.prompts, 2);
  ASSERT_TRUE(inputs.base);
  EXPECT_EQ(inputs.base->sha256, sha256_hex("tiny"));
  const auto prompts = world.as_worker([&](Tx& tx) { return job_prompts(tx, lease, {}, 10); });
  ASSERT_EQ(prompts.size(), 2U);

  const auto give = [&](int prompt, int index, const std::string& text) {
    return world.as_worker([&](Tx& tx) {
      return record_responses(tx, lease,
                              R"([{"prompt_id":")" + prompts[prompt].id.value + R"(","index":)" +
                                  std::to_string(index) + R"(,"messages":)" +
                                  World::said("assistant", text) + R"(,"sampling":{"seed":1}}])");
    });
  };
  EXPECT_EQ(give(0, 0, "a").comparisons, 0);
  EXPECT_EQ(give(0, 1, "b").comparisons, 0);
  const auto last = give(0, 2, "c");
  EXPECT_EQ(last.responses, 1);
  EXPECT_EQ(last.comparisons, 3) << "all pairs of three";
  EXPECT_EQ(give(0, 2, "c").comparisons, 0) << "a resend";
  EXPECT_EQ(world.as_worker([&](Tx& tx) { return job_prompts(tx, lease, {}, 10); }).size(), 1U)
      << "what is complete is not given again";
  give(1, 0, "same");
  give(1, 1, "same");
  EXPECT_EQ(give(1, 2, "other").comparisons, 1) << "equal texts are no comparison";
  EXPECT_EQ(world.count("SELECT count(*) FROM work_items WHERE open_slots = 1"), 4);
}

TEST(JudgeJobs, GiveEachComparisonOneJudgmentOfTheCriticVersion) {
  JobWorld world;
  world.add_comparisons(3);
  const auto critic = world.app.transact(world.team, [&](Tx& tx) {
    return insert_critic(tx, {.project = world.project.id,
                              .name = "short",
                              .spec = "{}",
                              .spec_sha256 = sha256_hex("s")});
  });
  world.add_job("judge", R"({"critic":")" + critic.id.value + R"("})");
  const auto lease = world.claim().value();
  const auto comparisons =
      world.as_worker([&](Tx& tx) { return job_comparisons(tx, lease, {}, 10); });
  ASSERT_EQ(comparisons.size(), 3U);
  const auto rows =
      R"([{"comparison_id":")" + comparisons[0].id.value +
      R"(","verdict":"prefer","strength":-2,"detail":{"scores":[0,1]}},{"comparison_id":")" +
      comparisons[1].id.value + R"(","verdict":"both_bad","strength":null}])";
  const auto give = [&] {
    return world.as_worker([&](Tx& tx) { return record_critic_judgments(tx, lease, rows); });
  };
  EXPECT_EQ(give().added, 2);
  EXPECT_EQ(give().added, 0);
  EXPECT_EQ(world.as_worker([&](Tx& tx) { return job_comparisons(tx, lease, {}, 10); }).size(), 1U);
  EXPECT_EQ(
      world.count(
          "SELECT count(*) FROM judgments WHERE judge_kind = 'rule' AND assignment_id IS NULL "
          "AND impression_id IS NULL"),
      2);
  EXPECT_EQ(world.count("SELECT sum(open_slots) FROM work_items"), 3) << "slots are for people";
}

TEST(Publishing, GivesTheNextNumberOnceAndEndsTheRun) {
  JobWorld world;
  world.add_comparisons(1);
  const auto base = world.add_base();
  world.record(world.answer(world.judge, world.ask(world.judge).items.at(0), 1));
  const auto snapshot = world.add_snapshot();
  const auto run = world.add_run(base, snapshot);
  const auto lease = world.claim().value();
  const auto inputs = world.as_worker([&](Tx& tx) { return job_inputs(tx, lease); });
  EXPECT_EQ(inputs.model, "house-style");
  EXPECT_EQ(inputs.snapshot->artifact_sha256, sha256_hex("artifact"));
  const auto first = world.publish(lease);
  EXPECT_EQ(first.version, 1);
  EXPECT_EQ(world.publish(lease).version, 1) << "again by the same job";
  EXPECT_EQ(world.state(run), "succeeded");
  EXPECT_EQ(world.as_worker([&](Tx& tx) { return finish_job(tx, lease, {.state = "succeeded"}); }),
            Written::Now);

  const auto second = world.add_run(base, snapshot);
  EXPECT_EQ(world.publish(world.claim().value()).version, 2);
  world.app.transact(world.team, [&](Tx& tx) {
    const auto version = get_version(tx, "house-style", 1);
    EXPECT_EQ(version.run, run);
    ASSERT_EQ(version.files.size(), 1U);
    EXPECT_EQ(version.files[0].path, "hf/model.safetensors");
    EXPECT_EQ(get_model(tx, "house-style").latest_version, 2);
    EXPECT_EQ(get_run(tx, second).job.state, "succeeded");
    EXPECT_NE(get_run(tx, second).job.result.find(R"("version": 2)"), std::string::npos);
    EXPECT_THROW(get_version(tx, "house-style", 3), Error);
  });
}

TEST(Publishing, LosesToACancelThatCameFirst) {
  JobWorld world;
  world.add_comparisons(1);
  const auto base = world.add_base();
  world.record(world.answer(world.judge, world.ask(world.judge).items.at(0), 1));
  const auto run = world.add_run(base, world.add_snapshot());
  const auto lease = world.claim().value();
  world.app.transact(world.team, [&](Tx& tx) { cancel_job(tx, run, {}); });
  EXPECT_EQ(world.publish(lease).written, Written::Stale);
  EXPECT_EQ(world.count("SELECT count(*) FROM versions"), 0);
  world.as_worker([&](Tx& tx) { return finish_job(tx, lease, {.state = "cancelled"}); });
  EXPECT_EQ(world.state(run), "cancelled");
}

TEST(Runs, RefuseASnapshotOfAnotherProject) {
  JobWorld world;
  world.add_comparisons(1);
  world.record(world.answer(world.judge, world.ask(world.judge).items.at(0), 1));
  const auto base = world.add_base();
  const auto snapshot = world.add_snapshot();
  world.app.transact(world.team, [&](Tx& tx) {
    world.project = insert_project(tx, {.slug = "second", .name = "Second"});
  });
  EXPECT_THROW(world.add_run(base, snapshot), Error);
  EXPECT_EQ(world.count("SELECT count(*) FROM jobs"), 0) << "nothing is left of it";
}

TEST(Outbox, IsRelayedOnceByTwoRelaysAndAgainWhenOneDiesHalfWay) {
  JobWorld world;
  const auto spec = world.sample_spec();
  std::set<std::string> jobs;
  for (int i = 0; i < 40; ++i) jobs.insert(world.add_job("sample", spec).value);
  std::mutex mutex;
  std::vector<std::string> sent;
  const auto relay = [&] {
    for (int i = 0; i < 20; ++i)
      world.app.transact([&](Tx& tx) {
        return relay_batch(
            tx,
            [&](const OutboxMessage& message) {
              const std::lock_guard lock(mutex);
              EXPECT_EQ(message.topic, "hone:jobs:cpu");
              sent.push_back(message.key);
              return true;
            },
            4);
      });
  };
  std::thread other(relay);
  relay();
  other.join();
  EXPECT_EQ(sent.size(), 40U);
  EXPECT_EQ(std::set<std::string>(sent.begin(), sent.end()), jobs);
  EXPECT_FALSE(world.app.transact([](Tx& tx) { return outbox_lag_s(tx); }));

  world.add_job("sample", spec);
  EXPECT_ANY_THROW(world.app.transact([](Tx& tx) {
    relay_batch(tx, [](const OutboxMessage&) { return true; });
    throw std::runtime_error("died between sending and marking");
  }));
  int again = 0;
  world.app.transact(
      [&](Tx& tx) { relay_batch(tx, [&](const OutboxMessage&) { return ++again > 0; }); });
  EXPECT_EQ(again, 1) << "sent twice rather than never";
}

TEST(Outbox, KeepsWhatCouldNotBeSent) {
  JobWorld world;
  world.add_job("sample", world.sample_spec());
  const auto relayed = world.app.transact(
      [](Tx& tx) { return relay_batch(tx, [](const OutboxMessage&) { return false; }); });
  EXPECT_TRUE(relayed.failed);
  EXPECT_EQ(relayed.sent, 0);
  EXPECT_TRUE(world.app.transact([](Tx& tx) { return outbox_lag_s(tx); }));
}

}  // namespace
}  // namespace hone::storage
