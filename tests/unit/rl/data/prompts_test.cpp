// Prompts to answer, from rows of their own and from rows of answers.
#include "rl/data/prompts.h"

#include <gmock/gmock.h>

#include "tests/unit/rl/data/support.h"

namespace hone::rl {
namespace {

using namespace testing;
using ::testing::HasSubstr;

PromptData read(const std::string& text, std::int64_t max_tokens = 1024,
                const TextRules& rules = tiny_rules()) {
  return from_file(text, [&](const auto& path) {
    return read_prompt_rows(path, rules, {.max_tokens = max_tokens});
  });
}

std::string refused(const std::string& text, std::int64_t max_tokens = 1024) {
  return refusal([&] { read(text, max_tokens); });
}

TEST(Prompts, AQuestionBecomesTheUsersMessageWhereThereIsATemplate) {
  const std::string rows = R"({"question":"How many?","answer":"Two and two.\n#### 4"})"
                           "\n"
                           R"({"question":"How far?","answer":7,"id":"far","split":"held_out"})"
                           "\n";
  const auto data = read(rows);
  ASSERT_EQ(data.train.size(), 1u);
  EXPECT_EQ(data.train[0].prompt,
            encoded(tiny_rules().chat->render({{"user", "How many?"}}, true)));
  EXPECT_EQ(std::get<std::vector<Message>>(data.train[0].source).at(0).content, "How many?");
  EXPECT_EQ(data.train[0].answer, "Two and two.\n#### 4");
  EXPECT_EQ(data.train[0].id, "1");
  ASSERT_EQ(data.held_out.size(), 1u);
  EXPECT_EQ(data.held_out[0].answer, "7");
  EXPECT_EQ(data.held_out[0].id, "far");
  EXPECT_TRUE(data.held_out[0].held_out);

  auto plain = tiny_rules();
  plain.chat = nullptr;
  EXPECT_EQ(read(rows, 1024, plain).train.at(0).prompt, encoded("How many?", true));
}

TEST(Prompts, AreTakenAsTextOrMessages) {
  EXPECT_EQ(read(R"({"prompt":"so"})").train.at(0).prompt, encoded("so", true));
  const std::string messages = R"([{"role":"user","content":"so"}])";
  const auto expected = encoded(tiny_rules().chat->render({{"user", "so"}}, true));
  EXPECT_EQ(read(R"({"prompt":)" + messages + "}").train.at(0).prompt, expected);
  EXPECT_EQ(read(R"({"messages":)" + messages + "}").train.at(0).prompt, expected);
}

TEST(Prompts, OfPairsComeOnceASplit) {
  const auto row = [](const std::string& prompt, const std::string& chosen,
                      const std::string& split) {
    return R"({"prompt":")" + prompt + R"(","chosen":")" + chosen +
           R"(","rejected":"no","comparison":"c1","split":")" + split + "\"}\n";
  };
  const auto data = read(row("a", "x", "train") + row("a", "y", "train") + row("b", "x", "train") +
                         row("a", "z", "held_out"));
  EXPECT_EQ(data.train.size(), 2u);
  EXPECT_EQ(data.train[0].id, "c1");
  EXPECT_EQ(data.repeated, 1);
  EXPECT_EQ(data.held_out.size(), 1u);
  EXPECT_EQ(data.leaked_prompts, 1);
  EXPECT_EQ(data.duplicates, 0);
}

TEST(Prompts, OfPairsKeepTheirAnswer) {
  const auto data = read(R"({"prompt":"a","chosen":"x","rejected":"no","answer":"42"})"
                         "\n"
                         R"({"prompt":"b","chosen":"x","rejected":"no"})");
  ASSERT_EQ(data.train.size(), 2u);
  EXPECT_EQ(data.train[0].answer, "42");
  EXPECT_EQ(data.train[1].answer, "");
}

TEST(Prompts, TwiceWithOneAnswerAreCountedAndKept) {
  const std::string row = R"({"prompt":"a","answer":"1"})"
                          "\n";
  const auto data = read(row + row + R"({"prompt":"a","answer":"2"})");
  EXPECT_EQ(data.train.size(), 3u);
  EXPECT_EQ(data.duplicates, 1);
}

TEST(Prompts, BadRowsAreToldByLineAndField) {
  EXPECT_THAT(refused(R"({"prompt":"a"})"
                      "\n{}"),
              HasSubstr("line 2: prompt is missing"));
  EXPECT_THAT(refused("{}"), HasSubstr("want \"prompt\", \"messages\" or \"question\""));
  EXPECT_THAT(refused(R"({"question":""})"), HasSubstr("question is empty"));
  EXPECT_THAT(refused(R"({"prompt":"a","answer":[1]})"), HasSubstr("answer must be"));
  EXPECT_THAT(refused(R"({"messages":[{"role":"assistant","content":"a"}]})"),
              HasSubstr("line 1: messages ends with the assistant's own"));
  EXPECT_THAT(refused(R"({"prompt":"<|begin_of_text|>a"})"), HasSubstr("begins with two"));
  EXPECT_THAT(refused(R"({"prompt":"many words of a prompt"})", 2), HasSubstr("more than 5 %"));
}

}  // namespace
}  // namespace hone::rl
