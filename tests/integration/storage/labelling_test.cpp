// Labelling on a real database: who gets what, what an answer does, and what many at once cannot
// break.
#include <atomic>
#include <chrono>
#include <optional>
#include <random>
#include <set>
#include <thread>

#include "tests/integration/storage/world.h"

namespace hone::storage {
namespace {

using Clock = std::chrono::steady_clock;

TEST(Imports, OfTheSameRowsAgainAddNothing) {
  World world;
  const auto first = world.add_comparisons(5);
  EXPECT_EQ(first.prompts, 5);
  EXPECT_EQ(first.responses, 10);
  EXPECT_EQ(first.comparisons, 5);
  EXPECT_EQ(first.duplicates, 0);
  const auto again = world.add_comparisons(5);
  EXPECT_EQ(again.prompts + again.responses + again.comparisons + again.judgments, 0);
  EXPECT_EQ(again.duplicates, 5);
  const auto project =
      world.app.transact(world.team, [&](Tx& tx) { return get_project(tx, world.project.id); });
  EXPECT_EQ(project.counts->comparisons, 5);
  EXPECT_EQ(project.counts->open, 5);
}

TEST(Imports, KeepTheLabelOfAPairWhateverSideItsSlotsLieOn) {
  World world;
  const auto row = [](const std::string& a, const std::string& b) {
    return R"({"prompt":)" + World::said("user", "same") + R"(,"responses":[)" +
           World::said("assistant", a) + "," + World::said("assistant", b) +
           R"(],"label":{"verdict":"prefer","strength":3}})";
  };
  world.app.transact(world.team, [&](Tx& tx) {
    const auto import = insert_import(tx, {.project = world.project.id,
                                           .format = "trl",
                                           .file_sha256 = sha256_hex("f"),
                                           .judge_name = "f"});
    // good is chosen over each of nine others: slots are in hash order, so it lies on both sides.
    std::string rows = "[";
    for (int i = 0; i < 9; ++i) rows += (i ? "," : "") + row("good", "bad" + std::to_string(i));
    const auto added = import_rows(tx, import, world.project.id, rows + "]");
    EXPECT_EQ(added.prompts, 1);
    EXPECT_EQ(added.responses, 10);
    EXPECT_EQ(added.comparisons, 9);
    EXPECT_EQ(added.judgments, 9);
  });
  EXPECT_EQ(world.count("SELECT count(*) FROM work_items"), 0) << "a label is not asked for again";
  EXPECT_EQ(world.count(R"sql(
      SELECT count(*) FROM judgments j
        JOIN comparison_responses s ON s.comparison_id = j.comparison_id
         AND s.slot = CASE WHEN j.strength > 0 THEN 0 ELSE 1 END
        JOIN responses r ON r.id = s.response_id AND r.messages->0->>'content' = 'good')sql"),
            9);
  EXPECT_GT(world.count("SELECT count(DISTINCT sign(strength)) FROM judgments"), 1)
      << "one side only";
}

TEST(Imports, PutAPromptOnOneSideOfTheSplitOnly) {
  World world;
  world.add_comparisons(400);
  const auto held_out = world.count("SELECT count(*) FROM prompts WHERE split = 'held_out'");
  // 400 prompts, share 0.2: 80 expected, standard deviation 8.
  EXPECT_GT(held_out, 40);
  EXPECT_LT(held_out, 120);
}

TEST(Imports, RefuseAnExternalIdThatStandsForAnotherPrompt) {
  World world;
  const auto add = [&](const std::string& content) {
    world.app.transact(world.team, [&](Tx& tx) {
      const auto import = insert_import(tx, {.project = world.project.id,
                                             .format = "prompts",
                                             .file_sha256 = sha256_hex("f"),
                                             .judge_name = "f"});
      import_rows(tx, import, world.project.id,
                  R"([{"prompt":)" + World::said("user", content) + R"(,"external_id":"7"}])");
    });
  };
  add("one");
  add("one");
  EXPECT_THROW(add("two"), Error);
}

TEST(HandOut, GivesEachJudgeEveryComparisonOnceAndThenSaysThatNoneIsLeft) {
  World world;
  world.add_comparisons(7);
  std::set<std::string> seen;
  for (int i = 0; i < 7; ++i) {
    const auto out = world.ask(world.judge);
    ASSERT_EQ(out.items.size(), 1U);
    EXPECT_TRUE(seen.insert(out.items[0].prompt).second);
    EXPECT_NE(out.items[0].left, out.items[0].right);
    EXPECT_EQ(world.record(world.answer(world.judge, out.items[0], 1)).outcome, Outcome::Now);
  }
  const auto none = world.ask(world.judge);
  EXPECT_TRUE(none.items.empty());
  EXPECT_EQ(none.reason, "none_left");
  EXPECT_EQ(world.ask(world.judge).reason, "none_left") << "the second time without a scan";
  world.add_comparisons(1, "new");
  EXPECT_EQ(world.ask(world.judge).items.size(), 1U) << "an import is noticed";
  EXPECT_EQ(world.miscounted(), 0);
}

TEST(HandOut, GivesAReloadedPageTheSameItemsAndSidesAndNothingItHolds) {
  World world;
  world.add_comparisons(9);
  const auto first = world.ask(world.judge, 3);
  ASSERT_EQ(first.items.size(), 3U);
  const auto reloaded = world.ask(world.judge, 3);
  ASSERT_EQ(reloaded.items.size(), 3U);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(first.items[i].impression, reloaded.items[i].impression);
    EXPECT_EQ(first.items[i].left, reloaded.items[i].left);
  }
  std::vector<AssignmentId> holding;
  for (const auto& item : first.items) holding.push_back(item.assignment);
  const auto more = world.ask(world.judge, 1, holding);
  EXPECT_TRUE(more.items.empty());
  EXPECT_EQ(more.reason, "cap") << "three leases are the most";
  world.record(world.answer(world.judge, first.items[0], 2));
  EXPECT_EQ(world.ask(world.judge, 1, {holding[1], holding[2]}).items.size(), 1U);
}

TEST(HandOut, ShowsEachSlotOnTheLeftAboutHalfTheTime) {
  World world;
  world.add_comparisons(120);
  for (int i = 0; i < 120; ++i)
    world.record(world.answer(world.judge, world.ask(world.judge).items.at(0), 1));
  // 120 fair draws: 60 expected, standard deviation 5.5; outside 27..93 once in 10^9.
  const auto left = world.count("SELECT count(*) FROM impressions WHERE left_slot = 0");
  EXPECT_GT(left, 27);
  EXPECT_LT(left, 93);
}

TEST(HandOut, PassesOnWhatWasReleasedSkippedOrRanOut) {
  World world;
  const auto other = world.another_judge("other");
  world.add_comparisons(1);

  const auto mine = world.ask(world.judge).items.at(0);
  EXPECT_TRUE(world.ask(other).items.empty()) << "one slot, held";
  world.app.transact(world.team,
                     [&](Tx& tx) { release_assignment(tx, world.judge, mine.assignment); });
  const auto theirs = world.ask(other).items.at(0);
  EXPECT_EQ(world.record(world.skip(other, theirs)).outcome, Outcome::Now);
  EXPECT_TRUE(world.ask(other).items.empty()) << "who skipped does not see it again";

  const auto again = world.ask(world.judge).items.at(0);
  EXPECT_EQ(again.assignment, mine.assignment) << "the same row, leased anew";
  EXPECT_NE(again.impression, mine.impression);
  world.value(
      "UPDATE assignments SET lease_until = now() - interval '1 second' WHERE state = 'leased'");
  const auto third = world.another_judge("third");
  EXPECT_EQ(world.ask(third).items.size(), 1U) << "nobody had to sweep";
  EXPECT_EQ(world.miscounted(), 0);
}

TEST(HandOut, IsSweptForProjectsThatNobodyAsks) {
  World world;
  world.add_comparisons(2);
  world.ask(world.judge, 2);
  world.value("UPDATE assignments SET lease_until = now() - interval '1 second'");
  EXPECT_EQ(world.app.transact([](Tx& tx) { return expire_assignments(tx); }), 2);
  EXPECT_EQ(world.count("SELECT sum(open_slots) FROM work_items"), 2);
  EXPECT_EQ(world.miscounted(), 0);
}

TEST(HandOut, StopsWhileTheProjectIsPausedAndFollowsItsOverlap) {
  World world;
  world.add_comparisons(2);
  const auto patch = [&](const ProjectPatch& change) {
    return world.app.transact(world.team,
                              [&](Tx& tx) { return patch_project(tx, world.project.id, change); });
  };
  patch({.paused = true});
  EXPECT_EQ(world.ask(world.judge).reason, "paused");
  patch({.overlap = 2, .paused = false});
  world.ask(world.judge, 2);
  const auto other = world.another_judge("other");
  EXPECT_EQ(world.ask(other, 2).items.size(), 2U);
  EXPECT_EQ(patch({.overlap = 1}).counts->open, 0) << "slots that are held stay";
  EXPECT_EQ(world.count("SELECT sum(target) FROM work_items"), 4);
  EXPECT_EQ(world.miscounted(), 0);
}

TEST(Leases, AreRenewedForTheirJudgeAloneAndNotBeyondFourHours) {
  World world;
  world.add_comparisons(1);
  const auto item = world.ask(world.judge).items.at(0);
  const auto other = world.another_judge("other");
  const auto renew = [&](const JudgeId& who) {
    return world.app.transact(
        world.team, [&](Tx& tx) { return renew_assignments(tx, who, {item.assignment}); });
  };
  EXPECT_TRUE(renew(world.judge));
  EXPECT_FALSE(renew(other));
  world.value("UPDATE assignments SET leased_at = now() - interval '239 minutes'");
  renew(world.judge);
  EXPECT_EQ(world.value("SELECT lease_until = leased_at + interval '4 hours' FROM assignments"),
            "t");
  EXPECT_THROW(world.app.transact(world.team,
                                  [&](Tx& tx) { release_assignment(tx, other, item.assignment); }),
               Error);
}

TEST(Judgments, SentTwiceAtOnceAreStoredOnce) {
  World world;
  world.add_comparisons(20);
  for (int i = 0; i < 20; ++i) {
    const auto given = world.answer(world.judge, world.ask(world.judge).items.at(0), 2);
    Recorded other;
    std::thread copy([&] { other = world.record(given); });
    const auto mine = world.record(given);
    copy.join();
    EXPECT_EQ(mine.id, other.id);
    EXPECT_NE(mine.outcome == Outcome::Now, other.outcome == Outcome::Now) << "exactly one wrote";
  }
  EXPECT_EQ(world.count("SELECT count(*) FROM judgments"), 20);
}

TEST(Judgments, RefuseAKeyThatWasSpentOnAnotherBody) {
  World world;
  world.add_comparisons(1);
  const auto item = world.ask(world.judge).items.at(0);
  const auto first = world.record(world.answer(world.judge, item, 2, "key-of-16-letters"));
  EXPECT_EQ(world.record(world.answer(world.judge, item, 2, "key-of-16-letters")).outcome,
            Outcome::Resend);
  const auto other = world.record(world.answer(world.judge, item, -2, "key-of-16-letters"));
  EXPECT_EQ(other.outcome, Outcome::KeyReused);
  EXPECT_EQ(first.seq, 1);
  EXPECT_EQ(world.count("SELECT count(*) FROM judgments"), 1);
}

TEST(Judgments, TurnWhatWasPressedIntoSlotZerosView) {
  World world;
  world.add_comparisons(30);
  for (int i = 0; i < 30; ++i)
    world.record(world.answer(world.judge, world.ask(world.judge).items.at(0), 3));
  // Pressed +3 always: the left one. Canonical +3 exactly where slot 0 stood on the left.
  EXPECT_EQ(world.count("SELECT count(*) FROM judgments WHERE strength = CASE left_slot WHEN 0 "
                        "THEN 3 ELSE -3 END"),
            30);
}

TEST(Judgments, OfSomebodyElsesAssignmentOrShowingAreRefused) {
  World world;
  world.add_comparisons(2);
  const auto items = world.ask(world.judge, 2).items;
  const auto other = world.another_judge("other");
  EXPECT_THROW(world.record(world.answer(other, items[0], 1)), Error);
  auto mixed = world.answer(world.judge, items[0], 1);
  mixed.impression = items[1].impression;
  EXPECT_THROW(world.record(mixed), Error);
  EXPECT_EQ(world.count("SELECT count(*) FROM judgments"), 0);
}

TEST(Judgments, AreKeptWhenLateAsSurplusOnlyWhenTheSlotIsGone) {
  World world;
  const auto other = world.another_judge("other");
  world.add_comparisons(1);
  const auto late = world.ask(world.judge).items.at(0);
  world.value("UPDATE assignments SET lease_until = now() - interval '1 second'");
  const auto next = world.ask(other).items.at(0);
  EXPECT_EQ(world.record(world.answer(world.judge, late, 1)).outcome, Outcome::Now);
  EXPECT_EQ(world.value("SELECT surplus FROM judgments"), "t");
  world.record(world.answer(other, next, 1));
  EXPECT_EQ(world.count("SELECT count(*) FROM judgments WHERE NOT surplus"), 1);

  world.add_comparisons(1, "second");
  const auto slow = world.ask(world.judge).items.at(0);
  world.value(
      "UPDATE assignments SET lease_until = now() - interval '1 second' WHERE state = 'leased'");
  world.app.transact([](Tx& tx) { return expire_assignments(tx); });
  world.record(world.answer(world.judge, slow, 1));
  EXPECT_EQ(world.count("SELECT count(*) FROM judgments WHERE surplus"), 1)
      << "its slot was still there";
  EXPECT_EQ(world.miscounted(), 0);
}

TEST(Undo, OpensTheAssignmentAgainWithTheSameSidesAndTheAnswer) {
  World world;
  world.add_comparisons(1);
  const auto item = world.ask(world.judge).items.at(0);
  const auto first = world.record(world.answer(world.judge, item, -2));
  const auto undo = [&](const JudgmentId& id, const std::string& key) {
    return world.app.transact(world.team, [&](Tx& tx) {
      return retract_judgment(tx, world.judge, id, key, sha256_hex(key));
    });
  };
  const auto undone = undo(first.id, "undo-key-00000001");
  EXPECT_EQ(undone.outcome, Outcome::Now);
  EXPECT_EQ(undone.item.assignment, item.assignment);
  EXPECT_EQ(undone.item.left, item.left);
  ASSERT_TRUE(undone.item.answer);
  EXPECT_EQ(undone.item.answer->pressed, -2);
  EXPECT_EQ(undo(first.id, "undo-key-00000001").outcome, Outcome::Resend);
  EXPECT_THROW(undo(first.id, "undo-key-00000002"), Error) << "it is not the head any more";

  const auto second = world.record(world.answer(world.judge, undone.item, 1));
  EXPECT_EQ(second.seq, 3);
  const auto heads = world.app.transact(
      world.team, [&](Tx& tx) { return list_heads(tx, world.project.id, {"person"}); });
  ASSERT_EQ(heads.size(), 1U);
  EXPECT_EQ(heads[0].judgment, second.id);
  EXPECT_EQ(world.count("SELECT count(*) FROM judgments"), 3) << "nothing was deleted";
  EXPECT_EQ(world.miscounted(), 0);
  const auto mine = world.app.transact(
      world.team, [&](Tx& tx) { return list_judgments_of(tx, world.judge, world.project.id, {}); });
  ASSERT_EQ(mine.data.size(), 2U);
  EXPECT_FALSE(mine.data[0].retracted);
  EXPECT_TRUE(mine.data[1].retracted);
}

TEST(Undo, OfASkipTakesASlotAgainWhileOneIsOpen) {
  World world;
  world.add_comparisons(1);
  const auto item = world.ask(world.judge).items.at(0);
  const auto skipped = world.record(world.skip(world.judge, item));
  EXPECT_EQ(world.count("SELECT open_slots FROM work_items"), 1);
  world.app.transact(world.team, [&](Tx& tx) {
    const auto undone =
        retract_judgment(tx, world.judge, skipped.id, "undo-key-00000001", sha256_hex("u"));
    EXPECT_EQ(undone.item.answer->verdict, "skip");
    EXPECT_EQ(undone.item.answer->skip_reason, "unclear");
  });
  EXPECT_EQ(world.count("SELECT open_slots FROM work_items"), 0);
  EXPECT_EQ(world.miscounted(), 0);
}

TEST(Labelling, ByTwoTabsOfOnePersonNeverCollides) {
  World world;
  world.add_comparisons(60);
  std::atomic<int> answered{0};
  std::atomic<int> errors{0};
  const auto tab = [&] {
    try {
      for (int i = 0; i < 200; ++i) {
        const auto out = world.ask(world.judge);
        if (out.items.empty()) break;
        if (world.record(world.answer(world.judge, out.items[0], 1)).outcome == Outcome::Now)
          ++answered;
      }
    } catch (const std::exception& e) {
      ADD_FAILURE() << e.what();
      ++errors;
    }
  };
  std::thread a(tab), b(tab);
  a.join();
  b.join();
  EXPECT_EQ(errors, 0);
  EXPECT_EQ(world.count("SELECT count(DISTINCT comparison_id) FROM judgments"), 60);
  EXPECT_EQ(world.count("SELECT count(*) FROM assignments"), 60);
  EXPECT_EQ(world.miscounted(), 0);
}

// The promise of the queue under everything at once: never more than N slots granted, no judge
// twice, no error, and in the end every slot answered.
/// The answer is late: its lease ran out, and it comes between the moment that the next item is
/// looked for and the moment that the item is locked. A policy that waits holds the look up there.
TEST(HandOut, GivesNobodyAnItemThatTheyAnswerWhileItIsPicked) {
  World world;
  world.add_comparisons(1);
  world.app.transact(world.team,
                     [&](Tx& tx) { patch_project(tx, world.project.id, {.overlap = 3}); });
  const auto item = world.ask(world.judge).items.at(0);
  world.value("UPDATE assignments SET lease_until = clock_timestamp()");
  world.app.transact([](Tx& tx) { return expire_assignments(tx); });
  world.value(R"sql(
      CREATE FUNCTION wait_inside_pick_item() RETURNS boolean LANGUAGE plpgsql AS $$
      BEGIN
        IF current_setting('plan_cache_mode') = 'force_generic_plan' THEN
          PERFORM pg_advisory_xact_lock_shared(7);
        END IF;
        RETURN true;
      END $$;
      CREATE POLICY waits ON work_items AS RESTRICTIVE FOR SELECT TO hone_app
        USING (wait_inside_pick_item()))sql");
  pqxx::connection gate(world.url);
  std::optional<pqxx::work> closed(gate);
  closed->exec("SELECT pg_advisory_xact_lock(7)");

  HandedOut out;
  std::thread other_tab([&] { out = world.ask(world.judge); });
  const auto end = Clock::now() + std::chrono::seconds(20);
  while (Clock::now() < end &&
         world.count("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") ==
             0)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(world.record(world.answer(world.judge, item, 1)).outcome, Outcome::Now);
  closed.reset();
  other_tab.join();

  EXPECT_TRUE(out.items.empty());
  EXPECT_EQ(world.value("SELECT state FROM assignments"), "done");
  EXPECT_EQ(world.miscounted(), 0);
}

TEST(Labelling, BySixteenAskingAnsweringSkippingReleasingAndExpiringKeepsEverySlotCounted) {
  World world;
  constexpr int kComparisons = 40, kThreads = 16;
  world.add_comparisons(kComparisons);
  world.app.transact(world.team,
                     [&](Tx& tx) { patch_project(tx, world.project.id, {.overlap = 3}); });
  std::vector<JudgeId> judges;
  for (int i = 0; i < 8; ++i) judges.push_back(world.another_judge("j" + std::to_string(i)));

  std::atomic<bool> stop{false};
  std::atomic<int> acknowledged{0};
  const auto work = [&](int n) {
    std::minstd_rand random(static_cast<unsigned>(n) + 1);
    const auto& me = judges[n % judges.size()];  // two tabs for each judge
    while (!stop) try {
        const auto out = world.ask(me, 1 + static_cast<int>(random() % 3));
        for (const auto& item : out.items) {
          const auto dice = random() % 10;
          if (dice == 0) {
            world.record(world.skip(me, item));
            ++acknowledged;
          } else if (dice == 1) {
            world.app.transact(world.team,
                               [&](Tx& tx) { release_assignment(tx, me, item.assignment); });
          } else if (dice == 2) {
            world.value(
                "UPDATE assignments SET lease_until = clock_timestamp() WHERE state = 'leased' AND "
                "id = '" +
                item.assignment.value + "'");
            world.app.transact([](Tx& tx) { return expire_assignments(tx, 5); });
          } else {
            const auto given = world.answer(me, item, 1 + static_cast<int>(random() % 3));
            if (world.record(given).outcome == Outcome::Now) ++acknowledged;
            if (world.record(given).outcome != Outcome::Resend) ADD_FAILURE() << "a resend wrote";
          }
        }
        if (out.items.empty()) std::this_thread::sleep_for(std::chrono::milliseconds(2));
      } catch (const std::exception& e) {
        ADD_FAILURE() << e.what();
        stop = true;
      }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back(work, i);
  const auto end = Clock::now() + std::chrono::seconds(20);
  while (!stop && Clock::now() < end) {
    EXPECT_EQ(world.miscounted(), 0) << "while they work";
    if (world.count("SELECT count(*) FROM work_items WHERE open_slots > 0 OR EXISTS (SELECT FROM "
                    "assignments a "
                    "WHERE a.comparison_id = work_items.comparison_id AND a.state = 'leased')") ==
        0)
      break;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  stop = true;
  for (auto& thread : threads) thread.join();

  EXPECT_EQ(world.miscounted(), 0);
  EXPECT_EQ(world.count("SELECT count(*) FROM judgments"), acknowledged);
  EXPECT_EQ(world.count("SELECT count(*) FROM (SELECT comparison_id, judge_id FROM assignments "
                        "GROUP BY 1, 2 HAVING count(*) > 1) d"),
            0);
  EXPECT_EQ(
      world.count(
          "SELECT count(*) FROM (SELECT FROM judgments j WHERE NOT surplus AND verdict = 'prefer' "
          "AND NOT EXISTS (SELECT FROM judgments n WHERE n.comparison_id = j.comparison_id "
          "AND n.judge_id = j.judge_id AND n.seq > j.seq) "
          "GROUP BY comparison_id HAVING count(DISTINCT judge_id) > 3) d"),
      0)
      << "more answers counted than slots";
}

TEST(Critics, OfOneSpecAreOneVersionAndAnotherSpecIsTheNext) {
  World world;
  const auto add = [&](const std::string& spec) {
    return world.app.transact(world.team, [&](Tx& tx) {
      return insert_critic(tx, {.project = world.project.id,
                                .name = "short",
                                .spec = spec,
                                .spec_sha256 = sha256_hex(spec)});
    });
  };
  const auto first = add(R"({"rules":[1]})");
  const auto again = add(R"({"rules":[1]})");
  const auto second = add(R"({"rules":[2]})");
  EXPECT_TRUE(first.created_now);
  EXPECT_FALSE(again.created_now);
  EXPECT_EQ(first.id, again.id);
  EXPECT_EQ(second.version, 2);
  EXPECT_NE(first.judge, second.judge) << "agreement belongs to a version";
}

TEST(Snapshots, OfTheSameContentAreOneAndNumbersGoUp) {
  World world;
  world.add_comparisons(2);
  world.record(world.answer(world.judge, world.ask(world.judge).items.at(0), 2));
  const auto first = world.add_snapshot();
  EXPECT_EQ(first.number, 1);
  EXPECT_TRUE(first.created_now);
  const auto again = world.add_snapshot();
  EXPECT_EQ(again.id, first.id);
  EXPECT_FALSE(again.created_now);
  const auto texts = world.app.transact(world.team, [&](Tx& tx) {
    const auto heads = list_heads(tx, world.project.id, {"person"});
    return list_comparison_texts(tx, {heads.at(0).comparison});
  });
  ASSERT_EQ(texts.size(), 1U);
  ASSERT_EQ(texts[0].responses.size(), 2U);
  EXPECT_LT(texts[0].response_sha256[0], texts[0].response_sha256[1]) << "slots lie in hash order";
}

}  // namespace
}  // namespace hone::storage
