// The schema as a whole: it applies, it stays, and nobody sees what is not theirs.
#include <algorithm>
#include <sstream>
#include <thread>

#include "feedback/lifecycle/job.h"
#include "storage/postgres/migrator.h"
#include "storage/repo/audit.h"
#include "storage/repo/idempotency.h"
#include "storage/repo/invitations.h"
#include "storage/repo/tokens.h"
#include "tests/integration/storage/world.h"

namespace hone::storage {
namespace {

using test::LocalServices;

TEST(Migrations, ApplyOnceAndThenHaveNothingToDo) {
  const auto url = LocalServices::shared().empty_database();
  EXPECT_EQ(pending_migrations(url).size(), embedded_migrations().size());
  EXPECT_EQ(migrate(url).size(), embedded_migrations().size());
  EXPECT_TRUE(migrate(url).empty());
  EXPECT_TRUE(pending_migrations(url).empty());
}

TEST(Migrations, OfOneDatabaseByTwoMigratorsAtOnceApplyEachFileOnce) {
  const auto url = LocalServices::shared().empty_database();
  std::size_t first = 0;
  std::thread other([&] { first = migrate(url).size(); });
  const auto second = migrate(url).size();
  other.join();
  EXPECT_EQ(first + second, embedded_migrations().size());
}

TEST(Migrations, RefuseAFileThatWasEditedAfterItHadBeenApplied) {
  const auto url = LocalServices::shared().empty_database();
  std::vector<Migration> files(embedded_migrations().begin(), embedded_migrations().end());
  migrate(url, files);
  const auto edited = std::string(files[1].sql) + "\n-- one more line\n";
  files[1].sql = edited;
  EXPECT_THROW(migrate(url, files), Error);
}

TEST(Migrations, RefuseADatabaseOfANewerProgram) {
  const auto url = LocalServices::shared().empty_database();
  migrate(url);
  const auto all = embedded_migrations();
  EXPECT_THROW(migrate(url, all.first(all.size() - 1)), Error);
}

TEST(Migrations, LeaveNothingBehindWhenAFileFails) {
  const auto url = LocalServices::shared().empty_database();
  std::vector<Migration> files(embedded_migrations().begin(), embedded_migrations().end());
  files.push_back({"9999_broken.sql", "CREATE TABLE half (id int); SELECT no_such_function();"});
  EXPECT_ANY_THROW(migrate(url, files));
  pqxx::connection connection(url);
  pqxx::work work(connection);
  EXPECT_TRUE(work.exec("SELECT to_regclass('half') IS NULL")[0][0].as<bool>());
  EXPECT_EQ(pending_migrations(url).size(), 0U) << "what came before it stays applied";
}

/// One for the tests that only look.
struct FilledWorld;
FilledWorld& filled();

/// Fills every tenant table through the repositories: one walk along the whole road.
struct FilledWorld : World {
  FilledWorld() {
    app.transact(team, [&](Tx& tx) {
      insert_invitation(tx, {.token_sha256 = sha256_hex("i"), .created_by = user});
      insert_token(
          tx,
          {.name = "t", .token_sha256 = sha256_hex("t"), .hint = "hone_pat", .created_by = user});
      insert_audit(tx, {.actor = user, .action = "project.create"});
      save_reply(
          tx, {.actor = "user:x", .route = "POST /x", .key = "k", .body_sha256 = sha256_hex("b")},
          {201, "{}"});
    });
    const auto base = add_base();
    add_comparisons(3);
    add_job("sample", R"({"base":")" + base.value + R"(","split":"all","responses_per_prompt":2})");
    const auto sampling = claim().value();
    worker.transact([&](Tx& tx) {
      const auto prompt = job_prompts(tx, sampling, {}, 1).at(0).id.value;
      const auto row = [&](int i) {
        return R"({"prompt_id":")" + prompt + R"(","index":)" + std::to_string(i) +
               R"(,"messages":)" + said("assistant", "sample " + std::to_string(i)) +
               R"(,"sampling":{"seed":1}})";
      };
      record_responses(tx, sampling, "[" + row(0) + "," + row(1) + "]");
      finish_job(tx, sampling, {.state = "succeeded"});
    });
    record(answer(judge, ask(judge).items.at(0), 2));
    const auto critic = app.transact(team, [&](Tx& tx) {
      return insert_critic(tx, {.project = project.id,
                                .name = "short",
                                .spec = R"({"rules":[]})",
                                .spec_sha256 = sha256_hex("spec"),
                                .created_by = user});
    });
    (void)critic;
    const auto run = add_run(base, add_snapshot());
    const auto training = claim().value();
    EXPECT_EQ(training.job, run);
    worker.transact([&](Tx& tx) {
      adopt_checkpoint(
          tx, training,
          {.step = 10, .path = "e1/c", .manifest_sha256 = sha256_hex("c"), .bytes = 1});
    });
    publish(training);
  }

  std::vector<std::string> tenant_tables() {
    return names(R"sql(
        SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'team_id'
         WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND NOT a.attisdropped
         ORDER BY 1)sql");
  }
};

FilledWorld& filled() {
  static FilledWorld world;
  return world;
}

TEST(RowLevelSecurity, IsForcedOnEveryTableThatHasATeam) {
  auto& world = filled();
  EXPECT_GE(world.tenant_tables().size(), 30U);
  EXPECT_EQ(world.count(R"sql(
      SELECT count(*) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'team_id'
       WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
         AND NOT (c.relrowsecurity AND c.relforcerowsecurity))sql"),
            0);
}

TEST(RowLevelSecurity, ShowsTheAppNothingWithoutATeamAndNothingOfAnotherTeam) {
  FilledWorld world;
  const auto other = world.app.transact([](Tx& tx) { return insert_team(tx, "other", "Other"); });
  const auto visible = [&](const std::string& table, const TeamId& as) {
    return world.app.transact(as, [&](Tx& tx) {
      return std::stoll(tx.work()
                            .exec("SELECT count(*) FROM " + table + " WHERE team_id <> '" +
                                  other.value + "'")[0][0]
                            .c_str());
    });
  };
  for (const auto& table : world.tenant_tables()) {
    EXPECT_GT(world.count("SELECT count(*) FROM " + table), 0)
        << table << " is empty: this shows nothing";
    EXPECT_EQ(visible(table, {}), 0) << table;
    EXPECT_EQ(visible(table, other), 0) << table;
    EXPECT_GT(visible(table, world.team), 0) << table;
  }
}

TEST(RowLevelSecurity, RefusesARowForAnotherTeam) {
  FilledWorld world;
  const auto other = world.app.transact([](Tx& tx) { return insert_team(tx, "other", "Other"); });
  EXPECT_ANY_THROW(world.app.transact(other, [&](Tx& tx) {
    exec(tx, "INSERT INTO models (team_id, name) VALUES ($1, 'mine')", world.team);
  }));
  EXPECT_THROW(world.app.transact(other, [&](Tx& tx) { get_project(tx, world.project.id); }),
               Error);
  EXPECT_THROW(world.app.transact(other,
                                  [&](Tx& tx) {
                                    hand_out(tx, {world.project.id, world.judge, 1, {}});
                                  }),
               Error);
}

TEST(RowLevelSecurity, DoesNotLeakATeamThroughAPooledConnection) {
  World world;
  Pool one({.conninfo = world.url, .role = "hone_app", .size = 1});
  EXPECT_EQ(one.transact(world.team, [](Tx& tx) { return list_projects(tx).size(); }), 1U);
  EXPECT_EQ(one.transact([](Tx& tx) { return list_projects(tx).size(); }), 0U);
}

TEST(Roles, TheWorkerCanReadAndWriteNoTable) {
  auto& world = filled();
  const auto tables = world.names(
      "SELECT relname FROM pg_class WHERE relkind IN ('r', 'S') AND relnamespace = "
      "'public'::regnamespace AND relname <> 'schema_migrations'");
  ASSERT_GE(tables.size(), 35U);
  for (const auto& table : tables)
    for (const auto* act : {"SELECT", "UPDATE"})
      EXPECT_EQ(world.value("SELECT has_any_column_privilege('hone_worker', '" + table + "', '" +
                            act + "') OR has_table_privilege('hone_worker', '" + table +
                            "', 'INSERT, DELETE, TRUNCATE')"),
                "f")
          << table;
  EXPECT_ANY_THROW(world.worker.transact([](Tx& tx) { exec(tx, "SELECT * FROM jobs"); }));
  EXPECT_ANY_THROW(
      world.worker.transact([](Tx& tx) { exec(tx, "SELECT reap_job($1, 1, 1)", new_uuid()); }));
}

TEST(Roles, TheAppCannotDoWhatBelongsToWorkersOrTheOwner) {
  World world;
  const auto refused = [&](const char* sql) {
    try {
      world.app.transact(world.team, [&](Tx& tx) { exec(tx, sql); });
      return false;
    } catch (const pqxx::insufficient_privilege&) {
      return true;
    }
  };
  EXPECT_TRUE(refused("SELECT * FROM claim_job('me', 'cpu', '', '{train}', 1000, NULL)"));
  EXPECT_TRUE(refused("UPDATE judgments SET strength = 3"));
  EXPECT_TRUE(refused("DELETE FROM judgments"));
  EXPECT_TRUE(refused("TRUNCATE judgments CASCADE"));
  EXPECT_TRUE(refused("UPDATE impressions SET side_order = '{0,1}'"));
  EXPECT_TRUE(refused("UPDATE audit SET action = 'nothing'"));
  EXPECT_TRUE(refused(
      "INSERT INTO versions (team_id, model_id, number, job_id) VALUES (NULL, NULL, 1, NULL)"));
  EXPECT_TRUE(refused("UPDATE jobs SET lease_epoch = 9"));
  EXPECT_TRUE(refused("CREATE TABLE mine (id int)"));
}

TEST(Schema, JudgmentsAndSnapshotsRefuseChangeEvenByTheOwner) {
  FilledWorld world;
  for (const auto* table :
       {"judgments", "impressions", "snapshots", "snapshot_rows", "prompts", "prompt_answers",
        "responses", "comparisons", "job_events", "audit", "versions", "critic_versions"}) {
    EXPECT_ANY_THROW(world.value(std::string("DELETE FROM ") + table)) << table;
    EXPECT_ANY_THROW(world.value(std::string("UPDATE ") + table + " SET team_id = team_id"))
        << table;
    EXPECT_ANY_THROW(world.value(std::string("TRUNCATE ") + table + " CASCADE")) << table;
  }
}

TEST(Schema, UniqueKeysOfTenantTablesBeginWithTheTeam) {
  auto& world = filled();
  // The exceptions are keys of random values that name nothing of another team.
  EXPECT_EQ(world.value(R"sql(
      SELECT coalesce(string_agg(i.indexrelid::regclass::text, ' ' ORDER BY i.indexrelid::regclass::text COLLATE "C"), '')
        FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'team_id'
       WHERE i.indisunique AND c.relnamespace = 'public'::regnamespace AND i.indkey[0] <> a.attnum)sql"),
            "api_tokens_by_token audit_pkey invitations_by_token jobs_one_id teams_one_slug");
}

TEST(Schema, HoldsTheSameTableOfLegalMovesAsTheRules) {
  World world;
  std::string rules;
  for (int from = 0; from < feedback::kJobStates; ++from)
    for (int to = 0; to < feedback::kJobStates; ++to) {
      const auto a = static_cast<feedback::JobState>(from), b = static_cast<feedback::JobState>(to);
      if (is_legal_move(a, b))
        rules += std::string(to_string(a)) + ">" + std::string(to_string(b)) + " ";
    }
  std::vector<std::string> moves;
  std::istringstream words(rules);
  for (std::string move; words >> move;) moves.push_back(move);
  std::sort(moves.begin(), moves.end());
  EXPECT_EQ(world.names(R"sql(SELECT from_state || '>' || to_state FROM jobs_moves
                               ORDER BY (from_state || '>' || to_state) COLLATE "C")sql"),
            moves);
}

TEST(Schema, RefusesAnIllegalMoveOfAJob) {
  World world;
  const auto job = world.add_job("sample", "{}");
  EXPECT_ANY_THROW(
      world.value("UPDATE jobs SET state = 'succeeded' WHERE id = '" + job.value + "'"));
  EXPECT_EQ(world.value("SELECT state FROM jobs"), "queued");
}

TEST(Schema, TiesWhatWasPressedToTheSidesThatWereShown) {
  World world;
  world.add_comparisons(1);
  const auto item = world.ask(world.judge).items.at(0);
  const auto insert = [&](int strength, int pressed, int left) {
    return R"sql(INSERT INTO judgments (team_id, project_id, comparison_id, judge_id, judge_kind, seq, assignment_id,
                   impression_id, left_slot, submit_key, body_sha256, verdict, strength, pressed)
                 SELECT a.team_id, a.project_id, a.comparison_id, a.judge_id, 'person', 1, a.id, i.id, )sql" +
           std::to_string(left) + ", 'sixteen characters', repeat('a', 64), 'prefer', " +
           std::to_string(strength) + ", " + std::to_string(pressed) +
           " FROM assignments a JOIN impressions i ON i.assignment_id = a.id WHERE a.id = '" +
           item.assignment.value + "'";
  };
  const int left = static_cast<int>(world.count("SELECT left_slot FROM impressions"));
  const int turned = left == 0 ? 2 : -2;
  EXPECT_ANY_THROW(world.value(insert(turned, 2, 1 - left))) << "a side that was not shown";
  EXPECT_ANY_THROW(world.value(insert(-turned, 2, left))) << "turned the wrong way";
  EXPECT_NO_THROW(world.value(insert(turned, 2, left)));
}

}  // namespace
}  // namespace hone::storage
