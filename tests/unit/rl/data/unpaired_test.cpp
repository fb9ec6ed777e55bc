// Single answers with a mark, from rows of one answer and of two.
#include "rl/data/unpaired.h"

#include <gmock/gmock.h>

#include "tests/unit/rl/data/support.h"

namespace hone::rl {
namespace {

using namespace testing;
using ::testing::HasSubstr;

UnpairedData read(const std::string& text, std::int64_t max_tokens = 1024) {
  return from_file(text, [&](const auto& path) {
    return read_unpaired(path, tiny_rules(), {.max_tokens = max_tokens});
  });
}

std::string refused(const std::string& text, std::int64_t max_tokens = 1024) {
  return refusal([&] { read(text, max_tokens); });
}

TEST(Unpaired, RowsOfOneAnswerCarryTheirMark) {
  const auto data = read(
      R"({"prompt":[{"role":"user","content":"a"}],"completion":[{"role":"assistant","content":"b"}],"label":true})"
      "\n"
      R"({"prompt":"a","completion":" c","label":false,"weight":0.5,"split":"held_out"})"
      "\n");
  ASSERT_EQ(data.train.size(), 1u);
  EXPECT_TRUE(data.train[0].desirable);
  EXPECT_EQ(data.train[0].response.back(), tiny_rules().end_ids.front());
  ASSERT_EQ(data.held_out.size(), 1u);
  EXPECT_FALSE(data.held_out[0].desirable);
  EXPECT_EQ(data.held_out[0].weight, 0.5);
  EXPECT_EQ(data.held_out[0].response, encoded(" c"));
  EXPECT_EQ(data.held_out[0].line, 2);
}

TEST(Unpaired, APairIsAGoodAndABadAnswer) {
  const auto data =
      read(R"({"prompt":"a","chosen":"b","rejected":"c"})"
           "\n"
           R"({"prompt":"a","chosen":"d","rejected":"e","rejected_acceptable":true})"
           "\n"
           R"({"prompt":"a","chosen":"f","rejected":"g","tie":true})"
           "\n"
           R"({"prompt":"a","chosen":"f","rejected":"g","tie":true,"chosen_acceptable":false})"
           "\n");
  ASSERT_EQ(data.train.size(), 5u);
  EXPECT_TRUE(data.train[0].desirable);
  EXPECT_FALSE(data.train[1].desirable);
  EXPECT_EQ(data.train[1].response, encoded("c"));
  EXPECT_TRUE(data.train[2].desirable && data.train[3].desirable);
  EXPECT_FALSE(data.train[4].desirable);  // a tie, of which one side is known
  EXPECT_EQ(data.train[4].response, encoded("f"));
  EXPECT_EQ(data.ties, 1);
}

TEST(Unpaired, ASnapshotsTwoBadAnswersAreTwoRows) {
  const std::string start =
      R"({"prompt":[{"role":"user","content":"a"}],"responses":[{"messages":[{"role":"assistant","content":"b"}]},{"messages":[{"role":"assistant","content":"c"}]}],)";
  const auto data = read(
      start +
      R"("p":0.5,"judgments":[{"judge":"ann","kind":"person","verdict":"both_bad","strength":null}]})"
      "\n" +
      start + R"("p":0.1,"judgments":[]})" + "\n");
  ASSERT_EQ(data.train.size(), 4u);
  EXPECT_FALSE(data.train[0].desirable || data.train[1].desirable);
  EXPECT_FALSE(data.train[2].desirable);
  EXPECT_TRUE(data.train[3].desirable);
  EXPECT_EQ(data.both_bad, 1);
  EXPECT_EQ(data.ties, 0);
}

TEST(Unpaired, BadRowsAreToldByLineAndField) {
  const std::string good = R"({"prompt":"a","completion":"b","label":true})"
                           "\n";
  EXPECT_THAT(refused(good + R"({"prompt":"a","completion":"b"})"),
              HasSubstr("line 2: label is missing"));
  EXPECT_THAT(refused(R"({"prompt":"a","completion":"b","label":1})"),
              HasSubstr("line 1: label must be true or false"));
  EXPECT_THAT(refused(R"({"prompt":"a","completion":"","label":true})"),
              HasSubstr("completion is empty"));
  EXPECT_THAT(refused(R"({"prompt":"a","completion":"b","label":true,"weight":-1})"),
              HasSubstr("weight must be"));
  EXPECT_THAT(refused(R"({"prompt":"a","completion":"bbbbbbbbbbbbbbbb cc dd ee","label":true})", 3),
              HasSubstr("more than 5 %"));
  EXPECT_THAT(refused(R"({"prompt":"a","chosen":"b","rejected":"c","tie":true})"),
              HasSubstr("no answers to train on: 1 rows are ties"));
}

TEST(Unpaired, RepeatsAreCountedByMark) {
  const std::string good = R"({"prompt":"a","completion":"b","label":true})"
                           "\n";
  const auto data =
      read(good + good + R"({"prompt":"a","completion":"b","label":false})" + "\n" +
           R"({"prompt":"a","completion":"z","label":false,"split":"held_out"})" + "\n");
  EXPECT_EQ(data.duplicates, 1);
  EXPECT_EQ(data.leaked_prompts, 1);
}

}  // namespace
}  // namespace hone::rl
