// From critics and snapshots to runs and published versions, through the real server; the worker's
// writes are made by the functions that a worker calls.
#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include "feedback/snapshots/merkle.h"
#include "storage/artifacts/sha256.h"
#include "storage/artifacts/store.h"
#include "storage/ids.h"
#include "storage/repo/worker_reads.h"
#include "tests/integration/server/world.h"

namespace hone::server::test {
namespace {

using Strings = std::vector<std::string>;
using testing::HasSubstr;

class Runs : public World {
 protected:
  json post_critic(const std::string& project, const json& spec, int status) {
    return want(status, post("/projects/" + project + "/critics",
                             {{"name", "short"}, {"spec", spec}}, engineer_));
  }
  static json at_most(int words) {
    return {{"rules", json::array({{{"type", "max_words"}, {"value", words}}})}};
  }

  json snapshot(const std::string& project, int status = 201) {
    return want(status, post("/projects/" + project + "/snapshots", json::object(), engineer_));
  }
  json run_body(const std::string& project) {
    return {{"project", project},
            {"method", "dpo.sigmoid.sum"},
            {"base", make_base()},
            {"snapshot", "latest"}};
  }
  std::optional<storage::Lease> claim(const std::string& kind, const std::string& job) {
    return worker_.transact([&](storage::Tx& tx) {
      return storage::claim_job(tx, {.name = "test", .version = "1"}, {kind}, JobId{job});
    });
  }
};

TEST_F(Runs, VersionsCriticsByTheirSpec) {
  const auto project = make_project();
  const auto first = post_critic(project, at_most(60), 201);
  EXPECT_EQ(first["version"], 1);
  EXPECT_EQ(
      post_critic(project,
                  {{"delta", 0.001},
                   {"rules", json::array({{{"value", 60}, {"type", "max_words"}, {"weight", 1}}})}},
                  200)["id"],
      first["id"]);
  EXPECT_EQ(post_critic(project, at_most(50), 201)["version"], 2);
  EXPECT_EQ(want(200, get("/projects/" + project + "/critics", engineer_))["data"].size(), 2u);

  const json broken{{"rules", json::array({{{"type", "matches"}, {"pattern", "(open"}}})}};
  EXPECT_EQ(pointers(422, post("/projects/" + project + "/critics",
                               {{"name", "x"}, {"spec", broken}}, engineer_)),
            (Strings{"/spec/rules/0/pattern"}));
  EXPECT_EQ(
      post("/projects/" + project + "/critics", {{"name", "x"}, {"spec", at_most(5)}}, outsider_)
          .status,
      404);
}

TEST_F(Runs, StartJobsOnlyOnWhatIsThere) {
  const auto project = make_project();
  EXPECT_EQ(
      pointers(422, post("/projects/" + project + "/samples", {{"base", "no such"}}, engineer_)),
      (Strings{"/base"}));
  EXPECT_EQ(
      pointers(422, post("/projects/" + project + "/samples", {{"base", make_base()}}, engineer_)),
      (Strings{"/split"}));
  EXPECT_EQ(pointers(422, post("/projects/" + project + "/samples",
                               {{"base", make_base()}, {"responses_per_prompt", 5}}, engineer_)),
            (Strings{"/responses_per_prompt"}));
  for (const auto& [option, beyond] : {std::pair{"top_k", json(-1)},
                                       {"min_p", json(1.5)},
                                       {"repetition_penalty", json(0)},
                                       {"dtype", json("float16")}})
    EXPECT_EQ(pointers(422, post("/projects/" + project + "/samples",
                                 {{"base", make_base()}, {option, beyond}}, engineer_)),
              (Strings{std::string("/") + option}));
  EXPECT_EQ(pointers(422, post("/projects/" + project + "/judge", {{"critic", storage::new_uuid()}},
                               engineer_)),
            (Strings{"/critic"}));
  const auto critic = post_critic(project, at_most(3), 201);
  EXPECT_EQ(post("/projects/" + project + "/judge", {{"critic", critic["id"]}}, engineer_).status,
            422);  // nothing to judge
  EXPECT_EQ(want(200, get("/jobs?project=" + project, engineer_))["data"].size(), 0u);
}

TEST_F(Runs, RefuseSnapshotsWithoutAPairToTrainOn) {
  const auto project = make_project();
  EXPECT_EQ(post("/projects/" + project + "/snapshots", json::object(), engineer_).status, 422);
  import_pairs(project, 3, "&split=held_out");  // judged, and none to train on
  EXPECT_EQ(post("/projects/" + project + "/snapshots", json::object(), engineer_).status, 422);
  EXPECT_EQ(pointers(422, post("/runs", run_body(project), engineer_)), (Strings{"/snapshot"}));
  EXPECT_EQ(pointers(422, post("/projects/" + project + "/snapshots", {{"kinds", {"robots"}}},
                               engineer_)),
            (Strings{"/kinds"}));
}

feedback::Digest sha256(std::string_view bytes) {
  storage::Sha256 hash;
  hash.update(bytes);
  return hash.digest();
}

// What a stranger who holds nothing but the file can check.
TEST_F(Runs, FreezeSnapshotsWhoseRootFollowsFromTheirRows) {
  const auto project = make_project();
  import_pairs(project, 12, "&split=train");
  import_pairs(make_project(), 3);  // another project's rows stay out
  const auto made = snapshot(project);
  EXPECT_EQ(made["number"], 1);
  EXPECT_EQ(made["rows"],
            (json{{"train", 12}, {"held_out", 0}, {"ties", 0}, {"both_bad", 0}, {"total", 12}}));
  EXPECT_EQ(made["judges"], (json{{"person", 0}, {"rule", 0}, {"import", 12}}));
  EXPECT_EQ(made["statistics"]["agreement"]["alpha"], nullptr);
  EXPECT_EQ(made["aggregation"]["method"], "one_coin");

  const auto file = get("/snapshots/" + made["id"].get<std::string>() + "/rows", engineer_);
  ASSERT_EQ(file.status, 200);
  EXPECT_EQ(json(storage::sha256_hex(file.body)), made["artifact_sha256"]);
  std::vector<feedback::JudgmentLeaf> leaves;
  std::istringstream lines(file.body);
  for (std::string line; std::getline(lines, line);) {
    const auto row = json::parse(line);
    EXPECT_EQ(row["split"], "train");
    // The file's chosen answer is short and wins, on whichever slot its hash put it.
    const int good =
        row["responses"][0]["messages"][0]["content"].get<std::string>().starts_with("Good") ? 0
                                                                                             : 1;
    EXPECT_EQ(row["p"].get<double>() > 0.5, good == 0) << line;
    EXPECT_EQ(row["strength"].get<double>() > 0, good == 0) << line;
    for (const auto& judgment : row["judgments"])
      leaves.push_back({judgment["id"],
                        row["comparison"],
                        row["prompt_sha256"],
                        {row["responses"][0]["sha256"], row["responses"][1]["sha256"]},
                        judgment["judge"],
                        judgment["kind"],
                        judgment["verdict"],
                        judgment["strength"].is_null()
                            ? std::nullopt
                            : std::optional(judgment["strength"].get<int>())});
  }
  EXPECT_EQ(leaves.size(), 12u);
  EXPECT_EQ(json(feedback::to_hex(feedback::merkle_root(leaves, sha256))), made["root"]);

  EXPECT_EQ(snapshot(project, 200)["id"], made["id"]);  // nothing changed since
  EXPECT_EQ(get("/snapshots/" + made["id"].get<std::string>(), outsider_).status, 404);
  EXPECT_EQ(get("/snapshots/" + made["id"].get<std::string>() + "/rows", outsider_).status, 404);
}

TEST_F(Runs, FreezeWhatPeopleAndCriticsSaidUnderPseudonyms) {
  const auto project = make_project({{"overlap", 2}});
  sample(project, 4);
  const auto critic = post_critic(project, at_most(3), 201);
  const auto job =
      want(202, post("/projects/" + project + "/judge", {{"critic", critic["id"]}}, engineer_));
  const auto lease = claim("judge", job["id"]);
  ASSERT_TRUE(lease);
  worker_.transact([&](storage::Tx& tx) {
    storage::advance_job(tx, *lease, "running");
    auto rows = json::array();
    for (const auto& comparison : storage::job_comparisons(tx, *lease, {}, 100))
      rows.push_back(
          {{"comparison_id", comparison.id.value}, {"verdict", "prefer"}, {"strength", 1}});
    storage::record_critic_judgments(tx, *lease, rows.dump());
    storage::finish_job(
        tx, *lease, {.state = "succeeded", .result = R"({"judged": 4})", .error = "", .blame = ""});
  });
  for (const auto& person : {annotator_, reviewer_})
    for (int i = 0; i < 2; ++i) {
      const auto item =
          want(200, post("/projects/" + project + "/queue/next", {{"n", 1}}, person))["items"][0];
      const bool left_short = item["left"][0]["content"].get<std::string>().starts_with("Answer");
      want(201, post("/assignments/" + item["assignment"].get<std::string>() + "/judgments",
                     {{"impression", item["impression"]},
                      {"verdict", "prefer"},
                      {"strength", left_short ? 2 : -2}},
                     person, new_key()));
    }

  const auto made = snapshot(project);
  EXPECT_EQ(made["judges"], (json{{"person", 4}, {"rule", 4}, {"import", 0}}));
  const auto full = want(200, get("/snapshots/" + made["id"].get<std::string>(), engineer_));
  EXPECT_EQ(full["manifest"]["judges"].size(), 3u);
  const auto rows = get("/snapshots/" + made["id"].get<std::string>() + "/rows", engineer_).body;
  EXPECT_THAT(rows, testing::Not(HasSubstr("@example.org")));
  std::set<std::string> names;
  for (const auto& judge : full["manifest"]["judges"]) {
    names.insert(judge["judge"]);
    if (judge["kind"] == "rule") {
      EXPECT_EQ(judge["critic"]["spec_sha256"], critic["spec_sha256"]);
    }
  }
  EXPECT_EQ(names.size(), 3u);
  std::istringstream lines(rows);
  for (std::string line; std::getline(lines, line);)
    for (const auto& judgment : json::parse(line)["judgments"])
      for (const auto& judge : full["manifest"]["judges"])
        if (judge["judge"] == judgment["judge"]) {
          EXPECT_EQ(judgment["flip"], judge["flip"]);
          EXPECT_GE(judgment["flip"].get<double>(), 0.02);
        }

  const auto people_only = want(201, post("/projects/" + project + "/snapshots",
                                          {{"kinds", {"person"}}, {"name", "people"}}, engineer_));
  EXPECT_EQ(people_only["judges"], (json{{"person", 4}, {"rule", 0}, {"import", 0}}));
  EXPECT_EQ(people_only["name"], "people");
  EXPECT_NE(people_only["root"], made["root"]);
}

TEST_F(Runs, StartWithEveryDefaultWrittenOut) {
  const auto project = make_project();
  import_pairs(project, 4, "&split=train");
  const auto frozen = snapshot(project);
  const auto run = want(201, post("/runs", run_body(project), engineer_));
  EXPECT_EQ(run["state"], "queued");
  EXPECT_EQ(run["project"], project);
  EXPECT_EQ(run["snapshot"]["root"], frozen["root"]);
  EXPECT_EQ(run["hyperparameters"]["learning_rate"], 1e-6);
  EXPECT_EQ(run["hyperparameters"]["batch_size"], 64);
  EXPECT_EQ(run["attempts"].size(), 0u);
  EXPECT_EQ(run["result"], nullptr);
  EXPECT_EQ(run["spec"]["base"], make_base());

  const auto id = run["id"].get<std::string>();
  EXPECT_EQ(want(200, get("/runs/" + id, reviewer_))["id"], id);
  EXPECT_EQ(want(200, get("/runs?project=" + project, engineer_))["data"].size(), 1u);
  EXPECT_EQ(get("/runs/" + id, annotator_).status, 403);
  EXPECT_EQ(get("/runs/" + id, outsider_).status, 404);
  const auto events = want(200, get("/runs/" + id + "/events", engineer_))["data"];
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events[0]["seq"], 1);

  EXPECT_EQ(want(200, post("/runs/" + id + "/cancel", json::object(), engineer_))["state"],
            "cancelled");
  EXPECT_EQ(post("/runs/" + id + "/cancel", json::object(), engineer_).status, 409);
  EXPECT_EQ(post("/runs/" + id + "/cancel", json::object(), outsider_).status, 404);
}

/// Ends the run as a worker would, with these files.
void publish(Installation& installation, storage::Pool& worker, const storage::Lease& lease,
             const std::map<std::string, std::string>& content, const std::string& result = "") {
  storage::ArtifactStore store(installation.home() / "store");
  auto files = json::array();
  std::string manifest;
  for (const auto& [path, bytes] : content) {
    const auto blob = store.put_bytes(bytes);
    files.push_back({{"path", path}, {"sha256", blob.sha256}, {"bytes", blob.bytes}});
    if (path == "hone/manifest.json") manifest = blob.sha256;
  }
  worker.transact([&](storage::Tx& tx) {
    storage::advance_job(tx, lease, "running");
    storage::advance_job(tx, lease, "publishing");
    storage::publish_version(tx, lease,
                             {.code_revision = "abc",
                              .manifest_sha256 = manifest,
                              .spec = lease.spec,
                              .metrics = "{}",
                              .evaluation = "{}",
                              .files = files.dump(),
                              .result = result});
  });
}

TEST_F(Runs, OfSeveralSeedsKeepEachOnesResult) {
  const auto project = make_project();
  import_pairs(project, 4, "&split=train");
  snapshot(project);
  auto body = run_body(project);
  EXPECT_EQ(want(201, post("/runs", body, engineer_))["seeds"], nullptr);
  body["seeds"] = {5, 1};
  body["order_seed"] = 9;
  const auto run = want(201, post("/runs", body, engineer_));
  EXPECT_EQ(run["seeds"], (json{5, 1}));
  EXPECT_EQ(run["order_seed"], 9);
  EXPECT_EQ(run["sample_seed"], nullptr);
  EXPECT_EQ(run["seed"], 5);

  const auto lease = claim("train", run["id"]);
  ASSERT_TRUE(lease);
  EXPECT_EQ(json::parse(lease->spec)["seeds"], (json{5, 1}));
  EXPECT_EQ(json::parse(lease->spec)["order_seed"], 9);
  const json seeds{{"published", 5},
                   {"finished", 2},
                   {"failed", 0},
                   {"seeds", {{{"seed", 5}, {"ok", true}}, {{"seed", 1}, {"ok", true}}}},
                   {"evaluation", {{"eval/held_out/loss", {{"mean", 0.5}, {"n", 2}}}}}};
  publish(installation_, worker_, *lease, {{"hf/config.json", "{}"}, {"hone/manifest.json", "{}"}},
          json{{"seeds", seeds}}.dump());
  const auto ended = want(200, get("/runs/" + run["id"].get<std::string>(), engineer_));
  EXPECT_EQ(ended["result"]["seeds"], seeds);
  EXPECT_EQ(ended["result"]["version"], 1);

  body["seed"] = 3;
  EXPECT_EQ(pointers(422, post("/runs", body, engineer_)), (Strings{"/seed"}));
  body["seeds"] = 2;
  EXPECT_EQ(want(201, post("/runs", body, engineer_))["seeds"], (json{3, 4}));
  body["seeds"] = {3, 3};
  body.erase("seed");
  EXPECT_EQ(pointers(422, post("/runs", body, engineer_)), (Strings{"/seeds/1"}));
}

TEST_F(Runs, RefuseWhatCannotBeCarriedOut) {
  const auto project = make_project();
  import_pairs(project, 4, "&split=train");
  snapshot(project);
  const auto refused = [&](const std::string& key, const json& value) {
    auto body = run_body(project);
    body[key] = value;
    return pointers(422, post("/runs", body, engineer_));
  };
  EXPECT_EQ(refused("base", "no such base"), (Strings{"/base"}));
  EXPECT_EQ(refused("project", "no-such-project"), (Strings{"/project"}));
  EXPECT_EQ(refused("snapshot", storage::new_uuid()), (Strings{"/snapshot"}));
  EXPECT_EQ(refused("method", "grpo"), (Strings{"/method"}));
  EXPECT_EQ(refused("method", "ppo"), (Strings{"/reward"}));
  EXPECT_EQ(refused("hyperparameters", {{"learning_rate", -1}}),
            (Strings{"/hyperparameters/learning_rate"}));
  EXPECT_EQ(refused("evaluation", {{"critic", storage::new_uuid()}}),
            (Strings{"/evaluation/critic"}));

  // Another project's snapshot, and its critic, are as good as none.
  const auto other = make_project();
  import_pairs(other, 4, "&split=train");
  EXPECT_EQ(refused("snapshot", snapshot(other)["id"]), (Strings{"/snapshot"}));
  EXPECT_EQ(refused("evaluation", {{"critic", post_critic(other, at_most(9), 201)["id"]}}),
            (Strings{"/evaluation/critic"}));
  auto foreign = run_body(project);
  EXPECT_EQ(pointers(422, post("/runs", foreign, outsider_)), (Strings{"/project"}));
  EXPECT_EQ(want(200, get("/runs?project=" + project, engineer_))["data"].size(), 0u);
}

TEST_F(Runs, PublishRewardModelsAndLearnFromThem) {
  const auto project = make_project();
  import_pairs(project, 4, "&split=train");
  snapshot(project);
  auto body = run_body(project);
  body["method"] = "rm.sigmoid";
  const auto scores = want(201, post("/runs", body, engineer_));
  const auto slug = want(200, get("/projects/" + project, engineer_))["slug"].get<std::string>();
  const auto name = slug + "-reward";
  EXPECT_EQ(scores["model"], name);
  const auto lease = claim("train", scores["id"]);
  ASSERT_TRUE(lease);
  publish(installation_, worker_, *lease,
          {{"reward/config.json", "{}"},
           {"reward/model.safetensors", "weights"},
           {"hone/reward.json", R"({"offset": 0.5, "scale": 2})"},
           {"hone/manifest.json", "{}"}});
  EXPECT_EQ(want(200, get("/models", engineer_))["data"][0]["task"], "reward");
  const auto version = want(200, get("/models/" + name + "/versions/1", engineer_));
  EXPECT_EQ(version["task"], "reward");
  EXPECT_EQ(get("/models/" + name + "/versions/1/archive/reward", engineer_).status, 200);

  // Another task never publishes under its name.
  body["method"] = "dpo.sigmoid.sum";
  body["model"] = name;
  EXPECT_EQ(pointers(422, post("/runs", body, engineer_)), (Strings{"/model"}));
  body["model"] = "tidy";

  const auto critic = post_critic(project, at_most(9), 201);
  body["method"] = "grpo_token";
  body["reward"] =
      json::array({{{"model", version["id"]}, {"weight", 2}}, {{"critic", critic["id"]}}});
  body["gold"] = {{"critic", critic["id"]}};
  const auto run = want(201, post("/runs", body, engineer_));
  EXPECT_EQ(run["reward"][0]["label"], name + " version 1");
  EXPECT_EQ(run["reward"][1]["label"], "short v1");
  EXPECT_EQ(run["gold"].size(), 1u);
  EXPECT_EQ(run["teacher"], nullptr);

  // What the worker of that run, and nobody else, may read of it.
  const auto taken = claim("train", run["id"]);
  ASSERT_TRUE(taken);
  worker_.transact([&](storage::Tx& tx) {
    const auto versions = storage::list_job_versions(tx, *taken);
    ASSERT_EQ(versions.size(), 1u);
    EXPECT_EQ(versions[0].model, name);
    EXPECT_EQ(versions[0].task, "reward");
    EXPECT_EQ(versions[0].files.size(), 4u);
    EXPECT_EQ(versions[0].manifest_sha256, version["manifest_sha256"]);
    const auto critics = storage::list_job_critics(tx, *taken);
    ASSERT_EQ(critics.size(), 1u);
    EXPECT_EQ(critics[0].spec_sha256, critic["spec_sha256"]);
    EXPECT_FALSE(storage::find_job_teacher(tx, *taken));
  });
  auto late = *taken;
  ++late.epoch;
  for (const auto& read :
       {+[](storage::Tx&tx, const storage::Lease&l) { storage::list_job_versions(tx, l); },
        +[](storage::Tx&tx, const storage::Lease&l) { storage::list_job_critics(tx, l); },
        +[](storage::Tx&tx, const storage::Lease&l) { storage::find_job_teacher(tx, l); }})
    EXPECT_THROW(worker_.transact([&](storage::Tx& tx) { read(tx, late); }), storage::StaleLease);

  // Only a reward model gives scores, and only one of this team; critics are the project's.
  const auto refused = [&](const char* key, const json& value) {
    auto changed = body;
    changed[key] = value;
    return pointers(422, post("/runs", changed, engineer_));
  };
  EXPECT_EQ(refused("reward", {{"model", storage::new_uuid()}}), (Strings{"/reward/model"}));
  const auto other = make_project();
  const auto foreign = post_critic(other, at_most(5), 201)["id"];
  EXPECT_EQ(refused("reward", {{"critic", foreign}}), (Strings{"/reward/critic"}));
  EXPECT_EQ(refused("gold", json::array({{{"critic", critic["id"]}}, {{"critic", foreign}}})),
            (Strings{"/gold/1/critic"}));
  publish(installation_, worker_, *taken, {{"hf/config.json", "{}"}, {"hone/manifest.json", "{}"}});
  const auto writer = want(200, get("/models/tidy/versions/1", engineer_));
  EXPECT_EQ(writer["task"], "policy");
  EXPECT_EQ(refused("reward", {{"model", writer["id"]}}), (Strings{"/reward/model"}));
  EXPECT_EQ(get("/models/" + name + "/versions/1", outsider_).status, 404);

  // The same version can be imitated; a reward model has nothing to imitate.
  body.erase("reward");
  body.erase("gold");
  body["method"] = "distill.forward";
  EXPECT_EQ(refused("teacher", "no such base"), (Strings{"/teacher"}));
  EXPECT_EQ(refused("teacher", storage::new_uuid()), (Strings{"/teacher"}));
  EXPECT_EQ(refused("teacher", version["id"]), (Strings{"/teacher"}));
  body["teacher"] = writer["id"];
  EXPECT_EQ(want(201, post("/runs", body, engineer_))["teacher"]["label"], "tidy version 1");
  body["teacher"] = make_base();
  const auto pupil = want(201, post("/runs", body, engineer_));
  const auto third = claim("train", pupil["id"]);
  ASSERT_TRUE(third);
  worker_.transact([&](storage::Tx& tx) {
    const auto teacher = storage::find_job_teacher(tx, *third);
    ASSERT_TRUE(teacher);
    EXPECT_EQ(teacher->id.value, make_base());
  });
}

TEST_F(Runs, WithAVerifierNeedAnAnswerOfEveryPrompt) {
  const auto project = make_project();
  import_pairs(project, 3, "&split=train");
  want(201, upload("/projects/" + project + "/imports?split=held_out",
                   "{\"prompt\": \"Held?\", \"chosen\": \"a\", \"rejected\": \"b\", "
                   "\"answer\": \"a secret\"}\n",
                   engineer_));
  const auto bare = snapshot(project);
  EXPECT_EQ(bare["answers"]["prompts"], 4);
  EXPECT_EQ(bare["answers"]["answered"], 1);

  auto body = run_body(project);
  body["method"] = "grpo_token";
  body["reward"] = {{"type", "exact_answer"}};
  const auto refused = post("/runs", body, engineer_);
  EXPECT_EQ(pointers(422, refused), (Strings{"/reward/type"}));
  EXPECT_THAT(refused.body, HasSubstr("3 of the snapshot's 4 prompts have none"));
  body["reward"] = {{"type", "length"}, {"tokens", 9}};
  body["gold"] = json::array({{{"type", "length"}, {"tokens", 9}}, {{"type", "exact_answer"}}});
  EXPECT_EQ(pointers(422, post("/runs", body, engineer_)), (Strings{"/gold/1/type"}));
  body.erase("gold");
  EXPECT_EQ(post("/runs", body, engineer_).status, 201);  // other verifiers need none

  std::string lines;
  for (int i = 0; i < 3; ++i)
    lines += json{{"prompt", "Question " + std::to_string(i)}, {"answer", i}}.dump() + "\n";
  want(201, upload("/projects/" + project + "/imports", lines, engineer_));
  body["reward"] = {{"type", "exact_answer"}};
  EXPECT_EQ(post("/runs", body, engineer_).status, 422);  // the snapshot is what it was
  const auto whole = snapshot(project);
  EXPECT_EQ(whole["root"], bare["root"]);  // of the judgments, and these are the same
  EXPECT_NE(whole["id"], bare["id"]);
  EXPECT_EQ(want(201, post("/runs", body, engineer_))["reward"][0]["type"], "exact_answer");

  // What hone-run reads: the snapshot's rows, each with its prompt's answer.
  const auto rows = get("/snapshots/" + whole["id"].get<std::string>() + "/rows", engineer_).body;
  std::istringstream in(rows);
  std::set<std::string> answers;
  for (std::string line; std::getline(in, line);) answers.insert(json::parse(line).at("answer"));
  EXPECT_EQ(answers, (std::set<std::string>{"0", "1", "2", "a secret"}));

  // A corrected answer makes another snapshot, though nothing else changed.
  want(201, upload("/projects/" + project + "/imports",
                   "{\"prompt\": \"Question 0\", \"answer\": \"zero\"}\n", engineer_));
  EXPECT_NE(snapshot(project)["id"], whole["id"]);
}

// Sums with answers, which nobody has to judge: what they are learnt from is a verifier.
TEST_F(Runs, LearnFromPromptsThatNobodyJudged) {
  const auto project = make_project();
  const auto freeze = [&](const json& body, int status) {
    return want(status, post("/projects/" + project + "/snapshots", body, engineer_));
  };
  const json asked{{"contents", "prompts"}};
  EXPECT_EQ(post("/projects/" + project + "/snapshots", asked, engineer_).status, 422);
  want(201, upload("/projects/" + project + "/imports?split=held_out",
                   "{\"prompt\": \"9 + 9?\", \"answer\": 18}\n", engineer_));
  EXPECT_THAT(post("/projects/" + project + "/snapshots", asked, engineer_).body,
              HasSubstr("every prompt is held out"));
  std::string lines;
  for (int i = 0; i < 3; ++i)
    lines += json{{"prompt", std::to_string(i) + " + 1?"}, {"answer", i + 1}}.dump() + "\n";
  want(201, upload("/projects/" + project + "/imports?split=train", lines, engineer_));
  EXPECT_EQ(pointers(422, post("/projects/" + project + "/snapshots",
                               {{"contents", "prompts"}, {"kinds", {"person"}}}, engineer_)),
            (Strings{"/kinds"}));
  EXPECT_EQ(
      pointers(422, post("/projects/" + project + "/snapshots", {{"contents", "all"}}, engineer_)),
      (Strings{"/contents"}));

  const auto made = freeze(asked, 201);
  EXPECT_EQ(made["contents"], "prompts");
  EXPECT_EQ(made["rows"],
            (json{{"train", 3}, {"held_out", 1}, {"ties", 0}, {"both_bad", 0}, {"total", 4}}));
  EXPECT_EQ(made["answers"]["answered"], 4);
  EXPECT_EQ(made["judges"], (json{{"person", 0}, {"rule", 0}, {"import", 0}}));
  EXPECT_EQ(freeze(asked, 200)["id"], made["id"]);  // the same content is the same snapshot

  // Its root follows from its rows alone.
  const auto file = get("/snapshots/" + made["id"].get<std::string>() + "/rows", engineer_).body;
  std::istringstream in(file);
  std::vector<feedback::Digest> leaves;
  for (std::string line; std::getline(in, line);) {
    const auto row = json::parse(line);
    EXPECT_EQ(row["prompt"][0]["role"], "user");
    leaves.push_back(
        feedback::leaf_digest(feedback::PromptLeaf{row["id"], row["prompt_sha256"], row["split"],
                                                   row["answer"].get<std::string>()},
                              sha256));
  }
  EXPECT_EQ(leaves.size(), 4u);
  EXPECT_EQ(feedback::to_hex(feedback::root_of_leaves(leaves, sha256)), made["root"]);

  auto body = run_body(project);
  body["snapshot"] = "latest";
  EXPECT_EQ(pointers(422, post("/runs", body, engineer_)),
            (Strings{"/snapshot"}));  // DPO wants pairs
  body["snapshot"] = made["id"];
  const auto refused = post("/runs", body, engineer_);
  EXPECT_EQ(pointers(422, refused), (Strings{"/snapshot"}));
  EXPECT_THAT(refused.body, HasSubstr("holds prompts alone"));
  body["method"] = "grpo_token";
  body["reward"] = {{"type", "exact_answer"}};
  EXPECT_EQ(want(201, post("/runs", body, engineer_))["snapshot"]["id"], made["id"]);
  body["snapshot"] = "latest";
  EXPECT_EQ(want(201, post("/runs", body, engineer_))["snapshot"]["id"], made["id"]);

  // Judgments frozen before or after are what a method that wants them finds as the latest.
  import_pairs(project, 3, "&split=train");
  const auto judged = snapshot(project);
  EXPECT_EQ(judged["contents"], "judgments");
  want(201, post("/projects/" + project + "/snapshots", asked, engineer_));
  body = run_body(project);
  body["snapshot"] = "latest";
  EXPECT_EQ(want(201, post("/runs", body, engineer_))["snapshot"]["id"], judged["id"]);
}

TEST_F(Runs, ShowNoJudgeTheAnswerThatAVerifierComparesWith) {
  const auto project = make_project();
  sample(project, 1);
  want(201, upload("/projects/" + project + "/imports",
                   "{\"prompt\": \"Ask 0\", \"answer\": \"a secret\"}\n", engineer_));
  const auto item = post("/projects/" + project + "/queue/next", {{"n", 1}}, annotator_);
  ASSERT_EQ(want(200, item)["items"].size(), 1u);
  EXPECT_THAT(item.body, testing::Not(HasSubstr("secret")));
  EXPECT_EQ(get("/projects/" + project + "/prompts", annotator_).status, 403);
  EXPECT_THAT(get("/projects/" + project + "/prompts", engineer_).body, HasSubstr("a secret"));
}

TEST_F(Runs, TellWhichMethodsThereAre) {
  const auto methods = want(200, get("/methods", annotator_))["data"];
  const auto found = std::find_if(methods.begin(), methods.end(),
                                  [](const json& m) { return m["name"] == "grpo_token"; });
  ASSERT_NE(found, methods.end());
  EXPECT_EQ((*found)["family"], "policy");
  EXPECT_EQ((*found)["hyperparameters"]["properties"]["group_size"]["default"], 8);
  EXPECT_EQ(get("/methods", "").status, 401);
}

TEST_F(Runs, AreCreatedOnceUnderOneKey) {
  const auto project = make_project();
  import_pairs(project, 4, "&split=train");
  snapshot(project);
  const auto key = new_key();
  const auto first = want(201, post("/runs", run_body(project), engineer_, key));
  const auto again = want(201, post("/runs", run_body(project), engineer_, key));
  EXPECT_EQ(again["id"], first["id"]);
  EXPECT_EQ(want(200, get("/runs?project=" + project, engineer_))["data"].size(), 1u);
}

TEST_F(Runs, EndAsAVersionWhoseFilesCanBeFetched) {
  const auto project = make_project();
  import_pairs(project, 4, "&split=train");
  snapshot(project);
  auto body = run_body(project);
  body["model"] = "tidy";
  const auto run = want(201, post("/runs", body, engineer_));
  const auto lease = claim("train", run["id"]);
  ASSERT_TRUE(lease);
  storage::ArtifactStore store(installation_.home() / "store");
  const auto config = store.put_bytes("{\"model_type\": \"llama\"}");
  const auto weights = store.put_bytes("0123456789");
  const auto manifest = store.put_bytes("{}");
  worker_.transact([&](storage::Tx& tx) {
    storage::advance_job(tx, *lease, "running");
    storage::advance_job(tx, *lease, "publishing");
    const json files = json::array(
        {{{"path", "hf/config.json"}, {"sha256", config.sha256}, {"bytes", config.bytes}},
         {{"path", "hf/model.safetensors"}, {"sha256", weights.sha256}, {"bytes", weights.bytes}},
         {{"path", "hone/manifest.json"}, {"sha256", manifest.sha256}, {"bytes", manifest.bytes}}});
    storage::publish_version(tx, *lease,
                             {.code_revision = "abc",
                              .manifest_sha256 = manifest.sha256,
                              .spec = "{}",
                              .metrics = "{}",
                              .evaluation = R"({"win_rate": 0.75})",
                              .files = files.dump(),
                              .result = ""});
  });

  const auto ended = want(200, get("/runs/" + run["id"].get<std::string>(), engineer_));
  EXPECT_EQ(ended["state"], "succeeded");
  EXPECT_EQ(ended["result"]["model"], "tidy");
  EXPECT_EQ(ended["result"]["version"], 1);
  const auto models = want(200, get("/models", engineer_))["data"];
  ASSERT_EQ(models.size(), 1u);
  EXPECT_EQ(models[0]["latest_version"], 1);
  EXPECT_EQ(want(200, get("/models/tidy", engineer_))["versions"].size(), 1u);
  const auto version = want(200, get("/models/tidy/versions/1", engineer_));
  EXPECT_EQ(version["run"], run["id"]);
  EXPECT_EQ(version["snapshot"]["root"], run["snapshot"]["root"]);
  EXPECT_EQ(version["files"].size(), 3u);
  EXPECT_EQ(version["evaluation"]["win_rate"], 0.75);

  const std::string at = "/models/tidy/versions/1";
  const auto whole = get(at + "/files/hf/model.safetensors", engineer_);
  EXPECT_EQ(whole.body, "0123456789");
  EXPECT_THAT(whole.headers.at("content-disposition"), HasSubstr("model.safetensors"));
  const auto part =
      server_.request("GET", "/api/v1" + at + "/files/hf/model.safetensors", "",
                      {{"Authorization", "Bearer " + engineer_}, {"Range", "bytes=2-4"}});
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, "234");
  const auto tar = get(at + "/archive/hf", engineer_);
  EXPECT_EQ(tar.status, 200);
  EXPECT_EQ(tar.body.size() % 512, 0u);
  EXPECT_THAT(tar.body, HasSubstr("tidy-1/hf/model.safetensors"));
  EXPECT_THAT(tar.body, testing::Not(HasSubstr("manifest.json")));

  EXPECT_EQ(get(at + "/archive/secrets", engineer_).status, 404);
  EXPECT_EQ(get(at + "/files/hf/none", engineer_).status, 404);
  EXPECT_EQ(get("/models/tidy/versions/2", engineer_).status, 404);
  EXPECT_EQ(get("/models/tidy/versions/x", engineer_).status, 404);
  EXPECT_EQ(get(at, outsider_).status, 404);
  EXPECT_EQ(get(at + "/files/hf/config.json", outsider_).status, 404);
  EXPECT_EQ(want(200, get("/models", outsider_))["data"].size(), 0u);
}

}  // namespace
}  // namespace hone::server::test
