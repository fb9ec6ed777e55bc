// Uploads through the real server: all of a file or nothing of it, and nothing twice.
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include "tests/integration/server/world.h"

namespace hone::server::test {
namespace {

using Strings = std::vector<std::string>;

class Imports : public World {};

TEST_F(Imports, StorePromptsOnTheSideTheyName) {
  const auto project = make_project();
  const auto report =
      want(201, upload("/projects/" + project + "/imports",
                       "{\"prompt\": \"One\", \"split\": \"held_out\", \"id\": \"q1\"}\n"
                       "{\"messages\": [{\"role\": \"system\", \"content\": \"Be brief.\"}, "
                       "{\"role\": \"user\", \"content\": \"Two\"}], \"split\": \"train\"}\n",
                       engineer_));
  EXPECT_EQ(report["format"], "prompts");
  EXPECT_EQ(report["rows"], 2);
  EXPECT_EQ(report["added"]["prompts"], 2);
  EXPECT_EQ(counts(project)["held_out_prompts"], 1);

  const auto prompts = want(200, get("/projects/" + project + "/prompts", engineer_))["data"];
  ASSERT_EQ(prompts.size(), 2u);
  for (const auto& prompt : prompts)
    if (prompt["external_id"] == "q1") {
      EXPECT_EQ(prompt["split"], "held_out");
      EXPECT_EQ(prompt["messages"], json::array({{{"role", "user"}, {"content", "One"}}}));
    } else {
      EXPECT_EQ(prompt["messages"].size(), 2u);
    }
}

TEST_F(Imports, KeepAnswersForVerifiersAndTheirCorrections) {
  const auto project = make_project();
  const auto import = [&](const std::string& lines, int status = 201) {
    return want(status, upload("/projects/" + project + "/imports", lines, engineer_));
  };
  const auto answers = [&] {
    std::map<std::string, json> out;
    const auto prompts = want(200, get("/projects/" + project + "/prompts", engineer_))["data"];
    for (const auto& prompt : prompts) out[prompt["messages"][0]["content"]] = prompt["answer"];
    return out;
  };
  const auto first = import("{\"prompt\": \"a\", \"answer\": \"1\"}\n{\"prompt\": \"b\"}\n");
  EXPECT_EQ(first["added"]["prompts"], 2);
  EXPECT_EQ(first["added"]["answers"], 1);
  EXPECT_EQ(answers(), (std::map<std::string, json>{{"a", "1"}, {"b", nullptr}}));

  // A later import gives the prompt that is there its answer, and corrects the other's; the same
  // again adds nothing.
  const std::string lines =
      "{\"prompt\": \"a\", \"answer\": \"one\"}\n{\"prompt\": \"b\", \"answer\": 2}\n";
  const auto second = import(lines);
  EXPECT_EQ(second["added"]["prompts"], 0);
  EXPECT_EQ(second["added"]["answers"], 2);
  EXPECT_EQ(second["duplicates"], 0);
  EXPECT_EQ(answers(), (std::map<std::string, json>{{"a", "one"}, {"b", "2"}}));
  const auto third = import(lines);
  EXPECT_EQ(third["added"]["answers"], 0);
  EXPECT_EQ(third["duplicates"], 2);

  // Two rows of one file that disagree are a mistake, however far apart they stand.
  std::string torn = "{\"prompt\": \"c\", \"answer\": \"1\"}\n";
  const std::string end = "{\"prompt\": \"c\", \"answer\": \"2\"}\n";
  EXPECT_EQ(upload("/projects/" + project + "/imports", torn + end, engineer_).status, 409);
  for (int i = 0; i < 300; ++i)
    torn += json{{"prompt", "filler " + std::to_string(i)}}.dump() + "\n";
  const auto refused = upload("/projects/" + project + "/imports", torn + end, engineer_);
  EXPECT_EQ(pointers(409, refused), (Strings{"/answer"}));
  EXPECT_EQ(counts(project)["prompts"], 2);
}

TEST_F(Imports, RefuseAFileWithOneBadRowWhole) {
  const auto project = make_project();
  const std::string lines =
      "{\"prompt\": \"good\"}\n{\"prompt\": \"\"}\n{\"promt\": \"typo\"}\n{not json\n";
  const auto reply = upload("/projects/" + project + "/imports", lines, engineer_);
  EXPECT_EQ(pointers(422, reply), (Strings{"/prompt", "/messages", ""}));
  EXPECT_EQ(reply.json()["errors"][0]["line"], 2);
  EXPECT_EQ(reply.json()["errors"][2]["line"], 4);
  EXPECT_EQ(reply.json()["refused"], 3);
  EXPECT_EQ(counts(project)["prompts"], 0);

  const auto kept =
      want(201, upload("/projects/" + project + "/imports?mode=keep_good", lines, engineer_));
  EXPECT_EQ(kept["refused"], 3);
  EXPECT_EQ(kept["errors"].size(), 3u);
  EXPECT_EQ(counts(project)["prompts"], 1);
}

TEST_F(Imports, RefuseAnEmptyFileAndAWrongParameter) {
  const auto project = make_project();
  EXPECT_EQ(upload("/projects/" + project + "/imports", "\n\n", engineer_).status, 422);
  EXPECT_EQ(
      upload("/projects/" + project + "/imports?format=csv", "{\"prompt\": \"x\"}\n", engineer_)
          .status,
      422);
  EXPECT_EQ(
      upload("/projects/" + project + "/imports?mode=most", "{\"prompt\": \"x\"}\n", engineer_)
          .status,
      422);
}

TEST_F(Imports, AddNothingTheSecondTime) {
  const auto project = make_project();
  const auto first = import_pairs(project, 20);
  EXPECT_EQ(first["added"], (json{{"prompts", 20},
                                  {"responses", 40},
                                  {"comparisons", 20},
                                  {"judgments", 20},
                                  {"answers", 0}}));
  const auto again = import_pairs(project, 20);
  EXPECT_EQ(
      again["added"],
      (json{
          {"prompts", 0}, {"responses", 0}, {"comparisons", 0}, {"judgments", 0}, {"answers", 0}}));
  EXPECT_EQ(again["duplicates"], 20);
}

TEST_F(Imports, TurnPairsIntoJudgmentsOfAnImportAndAskNobody) {
  const auto project = make_project();
  import_pairs(project, 5);
  const auto got = counts(project);
  EXPECT_EQ(got["comparisons"], 5);
  EXPECT_EQ(got["judgments_by_kind"], (json{{"person", 0}, {"rule", 0}, {"import", 5}}));
  EXPECT_EQ(got["open"], 0);
}

TEST_F(Imports, StoreNothingInADryRunAndSayWhatWouldBeAdded) {
  const auto project = make_project();
  const auto report = want(200, upload("/projects/" + project + "/imports?dry_run=true",
                                       "{\"prompt\": \"a\"}\n{\"prompt\": \"a\"}\n", engineer_));
  EXPECT_EQ(report["id"], nullptr);
  EXPECT_EQ(report["added"]["prompts"], 1);
  EXPECT_EQ(counts(project)["prompts"], 0);
}

TEST_F(Imports, HoldOutByPromptWhateverTheOrder) {
  const auto settings = json{{"held_out_share", 0.2}};
  const auto project = make_project(settings);
  std::string lines;
  for (int i = 0; i < 300; ++i)
    lines += json{{"prompt", "Number " + std::to_string(i)}}.dump() + "\n";
  want(201, upload("/projects/" + project + "/imports", lines, engineer_));
  // 60 expected, 4 * sqrt(300 * 0.2 * 0.8) = 28 either way.
  EXPECT_NEAR(counts(project)["held_out_prompts"].get<int>(), 60, 28);
  // The same prompts with pairs, all said to be for training: each stays on its side.
  const auto before = counts(project)["held_out_prompts"];
  std::string pairs;
  for (int i = 299; i >= 0; --i)
    pairs +=
        json{{"prompt", "Number " + std::to_string(i)}, {"chosen", "a"}, {"rejected", "b"}}.dump() +
        "\n";
  want(201, upload("/projects/" + project + "/imports?split=train", pairs, engineer_));
  EXPECT_EQ(counts(project)["held_out_prompts"], before);
  EXPECT_EQ(counts(project)["prompts"], 300);
}

TEST_F(Imports, RefuseATakenExternalIdAndStoreNothing) {
  const auto project = make_project();
  want(201, upload("/projects/" + project + "/imports", "{\"prompt\": \"a\", \"id\": \"1\"}\n",
                   engineer_));
  const auto refused =
      upload("/projects/" + project + "/imports",
             "{\"prompt\": \"new\"}\n{\"prompt\": \"b\", \"id\": \"1\"}\n", engineer_);
  EXPECT_EQ(refused.status, 409);
  EXPECT_NE(refused.body.find("the id \\\"1\\\" names another prompt"), std::string::npos)
      << refused.body;
  EXPECT_EQ(counts(project)["prompts"], 1);
}

TEST_F(Imports, AreForEngineersOfTheTeam) {
  const auto project = make_project();
  EXPECT_EQ(upload("/projects/" + project + "/imports", "{\"prompt\": \"a\"}\n", annotator_).status,
            403);
  EXPECT_EQ(upload("/projects/" + project + "/imports", "{\"prompt\": \"a\"}\n", outsider_).status,
            404);
  EXPECT_EQ(counts(project)["prompts"], 0);
}

// The figures of the file as counted by an independent script.
TEST_F(Imports, TakeTheRealTranscriptsToTheirCheckedFigures) {
  const char* named = std::getenv("HONE_SHARED_DATA");
  const auto path = (named ? std::filesystem::path(named)
                           : std::filesystem::path(HONE_SOURCE_DIR) / ".." / "shared" / "data") /
                    "hh-harmless-1500.jsonl";
  std::ifstream in(path, std::ios::binary);
  if (!in)
    GTEST_SKIP() << "no " << path << ": name the folder of the real data in HONE_SHARED_DATA";
  const std::string lines(std::istreambuf_iterator<char>(in), {});

  const auto project = make_project();
  EXPECT_EQ(upload("/projects/" + project + "/imports", lines, engineer_).status, 422);
  const auto report =
      want(201, upload("/projects/" + project + "/imports?mode=keep_good", lines, engineer_));
  EXPECT_EQ(report["format"], "hh");
  EXPECT_EQ(report["rows"], 1497);
  EXPECT_EQ(report["refused"], 3);
  EXPECT_EQ(report["warned"], 3);
  EXPECT_EQ(report["added"], (json{{"prompts", 1496},
                                   {"responses", 2994},
                                   {"comparisons", 1497},
                                   {"judgments", 1497},
                                   {"answers", 0}}));
}

}  // namespace
}  // namespace hone::server::test
