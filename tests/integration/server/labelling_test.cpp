// The labelling act through the real server: blind, on lease, once, and undone.
#include <signal.h>

#include <set>
#include <thread>

#include "storage/ids.h"
#include "tests/integration/server/world.h"

namespace hone::server::test {
namespace {

class Labelling : public World {
 protected:
  json next(const std::string& project, const std::string& token, int n = 1,
            json holding = json::array()) {
    return want(
        200, post("/projects/" + project + "/queue/next", {{"n", n}, {"holding", holding}}, token));
  }
  static std::string judgments_of(const json& item) {
    return "/assignments/" + item["assignment"].get<std::string>() + "/judgments";
  }
  static json prefer(const json& item, int strength) {
    return {{"impression", item["impression"]},
            {"verdict", "prefer"},
            {"strength", strength},
            {"timing", {{"shown_ms", 900}, {"active_ms", 800}}}};
  }
};

TEST_F(Labelling, ShowsTextsAndNothingThatTellsWhereTheyComeFrom) {
  const auto project = make_project();
  sample(project, 3);
  const auto given = next(project, annotator_, 3);
  ASSERT_EQ(given["items"].size(), 3u);
  EXPECT_EQ(given["reason"], nullptr);
  for (const auto& item : given["items"]) {
    std::set<std::string> keys;
    for (const auto& [key, value] : item.items()) keys.insert(key);
    EXPECT_EQ(keys, (std::set<std::string>{"assignment", "impression", "lease_until", "prompt",
                                           "left", "right", "answer"}));
    EXPECT_EQ(item["prompt"][0]["role"], "user");
    EXPECT_EQ(item["left"][0].size(), 2u);  // role and content
    EXPECT_NE(item["left"], item["right"]);
    EXPECT_EQ(item["answer"], nullptr);
  }
}

TEST_F(Labelling, RecordsAnAnswerOnceHoweverOftenItIsSent) {
  const auto project = make_project();
  sample(project, 1);
  const auto item = next(project, annotator_)["items"][0];
  const auto key = new_key();
  const auto first = post(judgments_of(item), prefer(item, 2), annotator_, key);
  EXPECT_EQ(want(201, first)["seq"], 1);
  const auto again = post(judgments_of(item), prefer(item, 2), annotator_, key);
  EXPECT_EQ(want(200, again)["id"], first.json()["id"]);
  EXPECT_EQ(post(judgments_of(item), prefer(item, 3), annotator_, key).status, 422);
  EXPECT_EQ(counts(project)["judgments"], 1);
}

TEST_F(Labelling, KeepsOneJudgmentOfManyCopiesSentAtOnce) {
  const auto project = make_project();
  sample(project, 1);
  const auto item = next(project, annotator_)["items"][0];
  const auto key = new_key();
  std::vector<Reply> replies(12);
  {
    std::vector<std::jthread> senders;
    for (auto& reply : replies)
      senders.emplace_back(
          [&] { reply = post(judgments_of(item), prefer(item, -1), annotator_, key); });
  }
  int created = 0;
  std::set<std::string> ids;
  for (const auto& reply : replies) {
    created += reply.status == 201;
    EXPECT_TRUE(reply.status == 201 || reply.status == 200) << reply.body;
    ids.insert(reply.json().value("id", ""));
  }
  EXPECT_EQ(created, 1);
  EXPECT_EQ(ids.size(), 1u);
  EXPECT_EQ(counts(project)["judgments"], 1);
}

TEST_F(Labelling, RefusesAnswersThatContradictThemselves) {
  const auto project = make_project();
  sample(project, 1);
  const auto item = next(project, annotator_)["items"][0];
  const auto refused = [&](json change) {
    json body{{"impression", item["impression"]}};
    body.update(change);
    return post(judgments_of(item), body, annotator_, new_key()).status;
  };
  EXPECT_EQ(refused({{"verdict", "prefer"}}), 422);
  EXPECT_EQ(refused({{"verdict", "prefer"}, {"strength", 0}}), 422);
  EXPECT_EQ(refused({{"verdict", "prefer"}, {"strength", 4}}), 422);
  EXPECT_EQ(refused({{"verdict", "tie"}, {"strength", 1}}), 422);
  EXPECT_EQ(refused({{"verdict", "both_bad"}, {"strength", 1}}), 422);
  EXPECT_EQ(refused({{"verdict", "skip"}}), 422);
  EXPECT_EQ(refused({{"verdict", "retracted"}}), 422);
  EXPECT_EQ(refused({{"verdict", "tie"}, {"comment", "x"}}), 422);
  EXPECT_EQ(post(judgments_of(item), prefer(item, 1), annotator_).status, 422);  // no key
  EXPECT_EQ(counts(project)["judgments"], 0);
}

TEST_F(Labelling, TakesAnAnswerBackAndShowsTheSameSidesWithIt) {
  const auto project = make_project();
  sample(project, 2);
  const auto item = next(project, annotator_)["items"][0];
  const auto judged = want(201, post(judgments_of(item), prefer(item, 3), annotator_, new_key()));
  const auto key = new_key();
  const std::string target = "/judgments/" + judged["id"].get<std::string>() + "/retract";
  const auto back = want(200, post(target, json::object(), annotator_, key))["item"];
  EXPECT_EQ(back["assignment"], item["assignment"]);
  EXPECT_EQ(back["left"], item["left"]);
  EXPECT_EQ(back["right"], item["right"]);
  EXPECT_EQ(back["answer"]["verdict"], "prefer");
  EXPECT_EQ(back["answer"]["strength"], 3);
  EXPECT_EQ(counts(project)["judgments"], 0);
  EXPECT_EQ(want(200, post(target, json::object(), annotator_, key))["item"]["assignment"],
            item["assignment"]);

  const auto second =
      post(judgments_of(back), {{"impression", back["impression"]}, {"verdict", "tie"}}, annotator_,
           new_key());
  EXPECT_EQ(want(201, second)["seq"], 3);  // the answer, its retraction, the new answer
  EXPECT_EQ(counts(project)["judgments"], 1);
  const auto mine = want(200, get("/me/judgments?project=" + project, annotator_))["data"];
  EXPECT_EQ(mine[0]["verdict"], "tie");
}

TEST_F(Labelling, GivesASkippedOrReleasedComparisonToSomebodyElse) {
  const auto project = make_project();
  sample(project, 1);
  const auto item = next(project, annotator_)["items"][0];
  EXPECT_EQ(next(project, reviewer_)["items"].size(), 0u);  // its one slot is held
  want(201,
       post(judgments_of(item),
            {{"impression", item["impression"]}, {"verdict", "skip"}, {"skip_reason", "unclear"}},
            annotator_, new_key()));
  const auto other = next(project, reviewer_)["items"];
  ASSERT_EQ(other.size(), 1u);
  EXPECT_EQ(post("/assignments/" + other[0]["assignment"].get<std::string>() + "/release",
                 json::object(), reviewer_)
                .status,
            204);
  EXPECT_EQ(next(project, engineer_)["items"].size(), 1u);
}

TEST_F(Labelling, SaysWhenNothingIsLeftOrTheProjectIsPaused) {
  const auto project = make_project();
  EXPECT_EQ(next(project, annotator_)["reason"], "none_left");
  sample(project, 1);
  want(200, patch("/projects/" + project, {{"settings", {{"paused", true}}}}, engineer_));
  const auto paused = next(project, annotator_);
  EXPECT_EQ(paused["items"].size(), 0u);
  EXPECT_EQ(paused["reason"], "paused");
}

TEST_F(Labelling, KeepsPeopleAndTeamsApart) {
  const auto project = make_project();
  sample(project, 2);
  const auto item = next(project, annotator_)["items"][0];
  EXPECT_EQ(post(judgments_of(item), prefer(item, 1), reviewer_, new_key()).status, 404);
  EXPECT_EQ(post(judgments_of(item), prefer(item, 1), outsider_, new_key()).status, 404);
  EXPECT_EQ(post("/projects/" + project + "/queue/next", {{"n", 1}}, outsider_).status, 404);
  EXPECT_EQ(get("/projects/" + project + "/progress", outsider_).status, 404);
  EXPECT_EQ(get("/projects/" + project + "/prompts", outsider_).status, 404);
  EXPECT_EQ(get("/projects/" + project + "/critics", outsider_).status, 404);
  EXPECT_EQ(get("/projects/" + project + "/snapshots", outsider_).status, 404);
  EXPECT_EQ(get("/me/stats?project=" + project, outsider_).status, 404);
  EXPECT_EQ(get("/me/judgments?project=" + project, outsider_).status, 404);
  EXPECT_EQ(get("/projects/not-an-id", annotator_).status, 404);
  EXPECT_EQ(post("/assignments/" + storage::new_uuid() + "/judgments", prefer(item, 1), annotator_,
                 new_key())
                .status,
            404);
}

TEST_F(Labelling, ShowsProgressOfProjectAndPerson) {
  const auto project = make_project();
  sample(project, 4);
  for (int i = 0; i < 2; ++i) {
    const auto item = next(project, annotator_)["items"][0];
    want(201, post(judgments_of(item), prefer(item, 1), annotator_, new_key()));
  }
  const auto progress = want(200, get("/projects/" + project + "/progress", annotator_));
  EXPECT_EQ(progress["done"], 2);
  EXPECT_EQ(progress["open"], 2);
  EXPECT_EQ(progress["total"], 4);
  EXPECT_EQ(progress["mine_today"], 2);
  const auto stats = want(200, get("/me/stats?project=" + project, annotator_));
  EXPECT_EQ(stats["total"], 2);
  EXPECT_NEAR(stats["median_s"].get<double>(), 0.8, 1e-9);
  EXPECT_EQ(want(200, get("/me/stats", reviewer_))["total"], 0);
}

TEST_F(Labelling, ProlongsOnlyOnesOwnLeases) {
  const auto project = make_project();
  sample(project, 1);
  const auto item = next(project, annotator_)["items"][0];
  const json ids{{"ids", json::array({item["assignment"]})}};
  EXPECT_TRUE(want(200, post("/assignments/renew", ids, annotator_))["lease_until"].is_string());
  EXPECT_EQ(want(200, post("/assignments/renew", ids, reviewer_))["lease_until"], nullptr);
}

TEST_F(Labelling, KeepsWhatWasAcknowledgedWhenTheServerIsKilled) {
  // A server of its own, so that killing it harms no other test.
  const auto project = make_project();
  sample(project, 5);
  std::set<std::string> acknowledged;
  {
    ServerProcess doomed(installation_.environment());
    const auto ask = [&](const std::string& target, const json& body, Headers headers) {
      headers["Authorization"] = "Bearer " + annotator_;
      return doomed.request("POST", "/api/v1" + target, body.dump(), std::move(headers));
    };
    for (int i = 0; i < 3; ++i) {
      const auto item =
          ask("/projects/" + project + "/queue/next", {{"n", 1}}, {}).json()["items"][0];
      acknowledged.insert(want(201, ask(judgments_of(item), prefer(item, 1), new_key()))["id"]);
    }
    doomed.stop(SIGKILL, std::chrono::seconds(5));
  }
  std::set<std::string> kept;
  const auto mine = want(200, get("/me/judgments?project=" + project, annotator_));
  for (const auto& judgment : mine["data"]) kept.insert(judgment["id"]);
  EXPECT_EQ(kept, acknowledged);
}

}  // namespace
}  // namespace hone::server::test
