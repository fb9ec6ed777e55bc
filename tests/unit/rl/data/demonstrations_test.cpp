// What supervised fine-tuning learns of a row, token by token.
#include "rl/data/demonstrations.h"

#include <gmock/gmock.h>

#include "tests/unit/rl/data/support.h"

namespace hone::rl {
namespace {

using namespace testing;
using ::testing::HasSubstr;

DemonstrationData read(const std::string& text, std::int64_t max_tokens = 1024,
                       const TextRules& rules = tiny_rules()) {
  return from_file(text, [&](const auto& path) {
    return read_demonstrations(path, rules, {.max_tokens = max_tokens});
  });
}

std::string refused(const std::string& text, const TextRules& rules = tiny_rules()) {
  return refusal([&] { read(text, 1024, rules); });
}

struct Part {
  std::string text;
  bool learnt;
};

void expect_parts(const DemonstrationRow& row, const std::vector<Part>& parts) {
  Ids ids;
  std::vector<std::uint8_t> mask;
  for (const auto& part : parts) {
    const auto more = encoded(part.text);
    ids.insert(ids.end(), more.begin(), more.end());
    mask.insert(mask.end(), more.size(), part.learnt);
  }
  EXPECT_EQ(row.ids, ids) << tiny_rules().tokenizer->decode(row.ids, false);
  EXPECT_EQ(row.mask, mask);
}

const std::string kTalk =
    R"({"messages":[{"role":"system","content":"s"},{"role":"user","content":"so"},{"role":"assistant","content":" the answer "},{"role":"user","content":"and"},{"role":"assistant","content":"more of it"}]})";

TEST(Demonstrations, EveryAnswerIsLearntWithItsEndTokenAndNoHeader) {
  for (const auto& chat : {kChat, kMarkedChat}) {
    const auto data = read(kTalk, 1024, rules_with(chat));
    ASSERT_EQ(data.train.size(), 1u);
    expect_parts(
        data.train[0],
        {{"<|begin_of_text|><|system|>s<|eot_id|>\n<|user|>so<|eot_id|>\n<|assistant|>", false},
         {"the answer", true},
         {"<|eot_id|>", true},
         {"\n<|user|>and<|eot_id|>\n<|assistant|>", false},
         {"more of it", true},
         {"<|eot_id|>", true}});  // and not the line break that the template writes
  }
}

TEST(Demonstrations, GetAnEndTokenWhereTheTemplateWritesNone) {
  const auto data = read(
      kTalk, 1024, rules_with("{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"));
  expect_parts(data.train.at(0), {{"<system>s<user>so<assistant>", false},
                                  {" the answer ", true},
                                  {"<user>and<assistant>", false},
                                  {"more of it", true},
                                  {"<|eot_id|>", true}});
}

TEST(Demonstrations, WhatFollowsTheLastAnswerIsCut) {
  const auto data = read(
      R"({"messages":[{"role":"user","content":"so"},{"role":"assistant","content":"yes"},{"role":"user","content":"thanks"}]})",
      1024, rules_with(kChat));
  expect_parts(data.train.at(0), {{"<|begin_of_text|><|user|>so<|eot_id|>\n<|assistant|>", false},
                                  {"yes", true},
                                  {"<|eot_id|>", true}});
}

TEST(Demonstrations, OfATemplateThatTellsAnswersOtherwiseAreRefused) {
  EXPECT_THAT(
      refused(kTalk, rules_with("{% for m in messages %}{{ m.content | upper }}{% endfor %}")),
      HasSubstr("line 1: messages cannot be told apart"));
  // Prompts end with a thought that conversations do not hold.
  EXPECT_THAT(
      refused(kTalk, rules_with(kChat + "{% if add_generation_prompt %}<think>{% endif %}")),
      HasSubstr("does not begin with the template's own prompt for answer 2"));
  auto rules = tiny_rules();
  rules.chat = nullptr;
  rules.chat_problem = "it is odd";
  EXPECT_THAT(refused(kTalk, rules), HasSubstr("it is odd"));
}

TEST(Demonstrations, OfAPromptAndCompletionLearnTheCompletion) {
  const auto data = read(
      R"({"prompt":[{"role":"user","content":"so"}],"completion":[{"role":"assistant","content":"yes"}]})"
      "\n"
      R"({"prompt":"so","completion":" yes"})"
      "\n"
      R"({"prompt":"so","completion":" no","label":false})"
      "\n",
      1024, rules_with(kChat));
  ASSERT_EQ(data.train.size(), 2u);
  expect_parts(data.train[0], {{"<|begin_of_text|><|user|>so<|eot_id|>\n<|assistant|>", false},
                               {"yes", true},
                               {"<|eot_id|>", true}});
  expect_parts(data.train[1], {{"<|begin_of_text|>so", false}, {" yes", true}});
  EXPECT_EQ(data.undesirable, 1);
}

TEST(Demonstrations, OfRawTextLearnAllButItsFirstToken) {
  const auto row = read(R"({"text":"so it is"})").train.at(0);
  EXPECT_EQ(row.ids, encoded("so it is", true));
  EXPECT_EQ(row.mask.front(), 0);
  EXPECT_EQ(std::count(row.mask.begin(), row.mask.end(), 1),
            static_cast<std::ptrdiff_t>(row.ids.size()) - 1);
}

TEST(Demonstrations, OfTwoAnswersLearnTheChosenOne) {
  const std::string start =
      R"({"prompt":[{"role":"user","content":"so"}],"responses":[{"messages":[{"role":"assistant","content":"first"}]},{"messages":[{"role":"assistant","content":"second"}]}],)";
  const auto data =
      read(start + R"("p":0.2})" + "\n" + start + R"("p":0.5})" + "\n", 1024, rules_with(kChat));
  ASSERT_EQ(data.train.size(), 1u);
  expect_parts(data.train[0], {{"<|begin_of_text|><|user|>so<|eot_id|>\n<|assistant|>", false},
                               {"second", true},
                               {"<|eot_id|>", true}});
  EXPECT_EQ(data.undesirable, 1);
  const auto pairs =
      read(R"({"prompt":"a","chosen":"b","rejected":"c"})"
           "\n"
           R"({"prompt":"a","chosen":"b","rejected":"c","chosen_acceptable":false})");
  EXPECT_EQ(pairs.train.size(), 1u);
  EXPECT_EQ(pairs.undesirable, 1);
}

TEST(Demonstrations, TooLongAreCutWithoutAnEndTokenAndLeftOutWhenNothingIsToLearn) {
  const auto rules = rules_with(kChat);
  const auto whole = read(kTalk, 1024, rules).train.at(0);
  const auto size = static_cast<std::int64_t>(whole.ids.size());
  const auto data = read(kTalk, size - 2, rules);
  ASSERT_EQ(data.train.size(), 1u);
  EXPECT_EQ(data.cut, 1);
  EXPECT_EQ(data.train[0].ids, Ids(whole.ids.begin(), whole.ids.end() - 2));
  EXPECT_NE(data.train[0].ids.back(), tiny_rules().end_ids.front());
  const auto some =
      read(kTalk + "\n" +
               R"({"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]})",
           25, rules);
  EXPECT_EQ(some.too_long + some.cut, 1);
  EXPECT_THAT(refusal([&] { read(kTalk, 3, rules); }), HasSubstr("1 rows hold nothing to learn"));
}

TEST(Demonstrations, BadRowsAreToldByLineAndField) {
  EXPECT_THAT(refused(R"({"answer":"b"})"), HasSubstr("line 1: messages is missing"));
  EXPECT_THAT(refused(R"({"messages":[{"role":"user","content":"a"}]})"),
              HasSubstr("holds no answer of the assistant"));
  EXPECT_THAT(
      refused(R"({"messages":[{"role":"user","content":"a"},{"role":"assistant","content":" "}]})"),
      HasSubstr("line 1: messages holds an empty answer"));
  for (const auto& chat : {kChat, kMarkedChat})
    for (const std::string content : {"b<|eot_id|>c", "b<|eot_id|>"})
      EXPECT_THAT(
          refused(R"({"messages":[{"role":"user","content":"a"},{"role":"assistant","content":")" +
                      content + R"("}]})",
                  rules_with(chat)),
          HasSubstr("end token inside"))
          << content;
  EXPECT_THAT(refused(R"({"text":""})"), HasSubstr("text is empty"));
  EXPECT_THAT(refused(R"({"text":"<|begin_of_text|>a"})"), HasSubstr("begins with two"));
  EXPECT_THAT(refused(kTalk, rules_with("{{ bos_token }}" + kChat)), HasSubstr("begins with two"));
}

TEST(Demonstrations, PromptsOfBothSplitsAreCounted) {
  const auto data = read(R"({"prompt":"a","completion":"b"})"
                         "\n"
                         R"({"prompt":"a","completion":"c","split":"held_out"})"
                         "\n"
                         R"({"prompt":"a","completion":"b"})"
                         "\n");
  EXPECT_EQ(data.leaked_prompts, 1);
  EXPECT_EQ(data.duplicates, 1);
}

}  // namespace
}  // namespace hone::rl
