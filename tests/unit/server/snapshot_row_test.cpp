// A line of a snapshot's artifact, byte by byte: what is trained on, and what its hash covers.
#include <gtest/gtest.h>

#include "services/server/json/snapshots.h"

namespace hone::server {
namespace {

storage::ComparisonText comparison() {
  storage::ComparisonText out;
  out.id = ComparisonId{"c1"};
  out.prompt_messages = R"([{"role":"user","content":"q"}])";
  out.prompt_sha256 = "pp";
  out.responses = {R"([{"role":"assistant","content":"a"}])",
                   R"([{"role":"assistant","content":"b"}])"};
  out.response_sha256 = {"aa", "bb"};
  out.split = "train";
  return out;
}

TEST(SnapshotRow, NamesEachJudgmentsJudgeUnderAPseudonymWithTheRateOfBeingWrong) {
  feedback::Frozen frozen;
  frozen.judges = {{.id = "u1", .name = "j-1", .kind = "person", .flip = 0.25, .judgments = 1},
                   {.id = "u2", .name = "j-2", .kind = "rule", .flip = 0.125, .judgments = 1}};
  frozen.judge_of = {1, 0};
  const std::vector<feedback::HeadJudgment> heads = {
      {"h1", "c1", "u2", "rule", "prefer", 1, std::nullopt},
      {"h2", "c1", "u1", "person", "both_bad", std::nullopt, 0}};
  const feedback::FrozenRow row{.comparison = 0,
                                .kind = feedback::RowKind::Strict,
                                .p = 0.875,
                                .strength = 1,
                                .judgments = {0, 1}};
  EXPECT_EQ(
      row_line(frozen, row, heads, comparison()),
      R"({"comparison":"c1","judgments":[)"
      R"({"flip":0.125,"id":"h1","judge":"j-2","kind":"rule","strength":1,"verdict":"prefer"},)"
      R"({"flip":0.25,"id":"h2","judge":"j-1","kind":"person","strength":null,"verdict":"both_bad"}],)"
      R"("p":0.875,"prompt":[{"content":"q","role":"user"}],"prompt_sha256":"pp",)"
      R"("responses":[{"messages":[{"content":"a","role":"assistant"}],"sha256":"aa"},)"
      R"({"messages":[{"content":"b","role":"assistant"}],"sha256":"bb"}],)"
      R"("split":"train","strength":1.0})");
}

TEST(SnapshotRow, HoldsThePromptsAnswerWhereItHasOne) {
  feedback::Frozen frozen;
  auto text = comparison();
  text.answer = "42";
  EXPECT_TRUE(row_line(frozen, {}, {}, text).starts_with(R"({"answer":"42","comparison":"c1",)"));
}

TEST(SnapshotAnswers, CountPromptsOnceAndChangeWithEveryAnswer) {
  SnapshotAnswers none, some, other;
  auto text = comparison();
  for (int i = 0; i < 2; ++i) none.add(text.prompt_sha256, text.answer);
  EXPECT_EQ(none.described()["prompts"], 1);
  EXPECT_EQ(none.described()["answered"], 0);
  text.answer = "42";
  some.add(text.prompt_sha256, text.answer);
  text.answer = "43";
  other.add(text.prompt_sha256, text.answer);
  EXPECT_EQ(some.described()["answered"], 1);
  EXPECT_NE(some.described()["sha256"], other.described()["sha256"]);
  EXPECT_NE(some.described()["sha256"], none.described()["sha256"]);
}

}  // namespace
}  // namespace hone::server
