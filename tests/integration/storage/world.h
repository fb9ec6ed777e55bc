// One migrated database with a team, a person and a project in it, and short ways to fill it
// through the repositories.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <pqxx/pqxx>
#include <string>
#include <vector>

#include "feedback/base/error.h"
#include "storage/artifacts/sha256.h"
#include "storage/ids.h"
#include "storage/postgres/exec.h"
#include "storage/postgres/pool.h"
#include "storage/repo/bases.h"
#include "storage/repo/critics.h"
#include "storage/repo/judgments.h"
#include "storage/repo/leases.h"
#include "storage/repo/projects.h"
#include "storage/repo/prompts.h"
#include "storage/repo/queue.h"
#include "storage/repo/runs.h"
#include "storage/repo/snapshots.h"
#include "storage/repo/teams.h"
#include "storage/repo/users.h"
#include "tests/support/local_services.h"

namespace hone::storage {

struct World {
  std::string url = test::LocalServices::shared().fresh_database();
  Pool app{{.conninfo = url, .role = "hone_app", .size = 20}};
  Pool worker{{.conninfo = url, .role = "hone_worker", .size = 8}};
  TeamId team;
  UserId user;
  JudgeId judge;
  Project project;

  World() {
    app.transact([&](Tx& tx) {
      team = insert_team(tx, "first", "First");
      user = insert_user(tx, {.email = "a@example.org", .name = "Ada", .password_hash = "x"});
      insert_member(tx, user, Role::Admin);
      judge = judge_of_user(tx, user);
      project = insert_project(tx, {.slug = "p", .name = "P", .guideline = "The kinder one."});
    });
  }

  /// What the superuser sees, past every policy.
  std::string value(const std::string& sql) {
    pqxx::connection connection(url);
    pqxx::work work(connection);
    const auto rows = work.exec(sql);
    work.commit();
    return rows.empty() || rows[0][0].is_null() ? "" : rows[0][0].c_str();
  }
  std::vector<std::string> names(const std::string& sql) {
    pqxx::connection connection(url);
    pqxx::work work(connection);
    std::vector<std::string> all;
    for (const auto& row : work.exec(sql)) all.emplace_back(row[0].c_str());
    return all;
  }
  std::int64_t count(const std::string& sql) { return std::stoll(value(sql)); }

  JudgeId another_judge(const std::string& name) {
    return app.transact(team, [&](Tx& tx) {
      const auto person =
          insert_user(tx, {.email = name + "@example.org", .name = name, .password_hash = "x"});
      insert_member(tx, person, Role::Annotator);
      return judge_of_user(tx, person);
    });
  }

  static std::string said(const std::string& role, const std::string& content) {
    return R"([{"role":")" + role + R"(","content":")" + content + R"("}])";
  }

  /// n prompts with an answer and two responses each, so n comparisons with a work item each.
  ImportCounts add_comparisons(int n, const std::string& prefix = "q") {
    return app.transact(team, [&](Tx& tx) {
      const auto import = insert_import(tx, {.project = project.id,
                                             .format = "trl",
                                             .file_sha256 = sha256_hex(prefix),
                                             .judge_name = "file " + prefix,
                                             .created_by = user});
      std::string rows = "[";
      for (int i = 0; i < n; ++i) {
        const auto name = prefix + std::to_string(i);
        rows += (i ? "," : "") + std::string(R"({"prompt":)") + said("user", name) +
                R"(,"answer":"right","responses":[)" + said("assistant", "yes " + name) + "," +
                said("assistant", "no " + name) + "]}";
      }
      const auto added = import_rows(tx, import, project.id, rows + "]");
      finish_import(tx, import, added, 0);
      return added;
    });
  }

  HandedOut ask(const JudgeId& who, int n = 1, std::vector<AssignmentId> holding = {}) {
    return app.transact(team, [&](Tx& tx) {
      return hand_out(tx,
                      {.project = project.id, .judge = who, .n = n, .holding = std::move(holding)});
    });
  }

  NewJudgment answer(const JudgeId& who, const Item& item, int pressed,
                     const std::string& key = {}) {
    const auto text = item.impression.value + std::to_string(pressed);
    return {.assignment = item.assignment,
            .impression = item.impression,
            .judge = who,
            .submit_key = key.empty() ? new_uuid() : key,
            .body_sha256 = sha256_hex(text),
            .answer = {.verdict = pressed == 0 ? feedback::Verdict::Tie : feedback::Verdict::Prefer,
                       .strength = pressed,
                       .skip_reason = {}},
            .timing = {.active_ms = 1500}};
  }
  NewJudgment skip(const JudgeId& who, const Item& item) {
    auto given = answer(who, item, 0);
    given.answer = {.verdict = feedback::Verdict::Skip,
                    .strength = {},
                    .skip_reason = feedback::SkipReason::Unclear};
    return given;
  }
  Recorded record(const NewJudgment& given) {
    return app.transact(team, [&](Tx& tx) { return record_judgment(tx, given); });
  }

  /// Broken promises of the queue; 0 is the invariant target = open_slots + held.
  std::int64_t miscounted() {
    return count(R"sql(
        SELECT count(*) FROM work_items w WHERE w.target <> w.open_slots +
          (SELECT count(*) FROM assignments a WHERE a.team_id = w.team_id
             AND a.comparison_id = w.comparison_id AND a.holds_slot))sql");
  }

  BaseId add_base() {
    return app.transact([](Tx& tx) {
      return insert_base(tx, {.name = "tiny",
                              .description = "a tiny one",
                              .architecture = "llama",
                              .format = "gguf",
                              .sha256 = sha256_hex("tiny"),
                              .bytes = 4})
          .id;
    });
  }

  JobId add_job(const std::string& kind, const std::string& spec) {
    return app.transact(team, [&](Tx& tx) {
      return insert_job(tx, {.project = project.id,
                             .kind = kind,
                             .spec = spec,
                             .spec_sha256 = sha256_hex(spec),
                             .created_by = user});
    });
  }

  Snapshot add_snapshot() {
    return app.transact(team, [&](Tx& tx) {
      NewSnapshot given{.project = project.id,
                        .name = "",
                        .root = sha256_hex("root"),
                        .manifest_sha256 = sha256_hex("manifest"),
                        .artifact_sha256 = sha256_hex("artifact"),
                        .artifact_bytes = 8,
                        .rows = R"({"total":1})",
                        .judges = "{}",
                        .statistics = "{}",
                        .aggregation = "{}",
                        .manifest = "{}",
                        .leaves = {},
                        .created_by = user};
      std::int64_t n = 0;
      for (const auto& head : list_heads(tx, project.id, {"person", "rule", "import"}))
        given.leaves.push_back({n++, head.judgment, sha256_hex(head.judgment.value), "train"});
      return insert_snapshot(tx, given);
    });
  }

  JobId add_run(const BaseId& base, const Snapshot& snapshot,
                const std::string& model = "house-style") {
    const auto spec =
        R"({"base":")" + base.value + R"(","snapshot":")" + snapshot.id.value + R"("})";
    return app.transact(team, [&](Tx& tx) {
      return insert_run(tx, {.project = project.id,
                             .method = "dpo.sigmoid.sum",
                             .model = model,
                             .base = base,
                             .snapshot = snapshot.id,
                             .adapter = R"("none")",
                             .hyperparameters = R"({"beta":0.1})",
                             .evaluation = "null",
                             .seed = 1,
                             .spec = spec,
                             .spec_sha256 = sha256_hex(spec),
                             .created_by = user});
    });
  }

  std::optional<Lease> claim(const std::string& name = "w1") {
    return worker.transact([&](Tx& tx) {
      return claim_job(tx, {.name = name}, {"train", "sample", "judge"});
    });
  }

  Published publish(const Lease& lease) {
    return worker.transact([&](Tx& tx) {
      return publish_version(tx, lease,
                             {.code_revision = "abc",
                              .manifest_sha256 = sha256_hex("m"),
                              .spec = "{}",
                              .metrics = R"({"loss":0.5})",
                              .evaluation = R"({"win_rate":0.7})",
                              .files = R"([{"path":"hf/model.safetensors","sha256":")" +
                                       sha256_hex("w") + R"(","bytes":1}])",
                              .result = {}});
    });
  }
};

}  // namespace hone::storage
