#include "rl/tokenizer/split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "feedback/base/error.h"

namespace hone::rl {
namespace {

using Texts = std::vector<std::string>;
using testing::HasSubstr;

Texts texts_of(const std::string& text, const std::vector<Span>& spans) {
  Texts texts;
  for (const auto& span : spans) texts.push_back(text.substr(span.begin, span.end - span.begin));
  return texts;
}

Texts by_hand(const std::string& text) {
  std::vector<Span> spans;
  split_gpt2(text, spans);
  return texts_of(text, spans);
}

TEST(SplitGpt2, CutsAsThePatternSays) {
  EXPECT_EQ(by_hand("it's 42 dogs' toys!!"),
            (Texts{"it", "'s", " 42", " dogs", "'", " toys", "!!"}));
  EXPECT_EQ(by_hand("a  b"), (Texts{"a", " ", " b"}));
  EXPECT_EQ(by_hand("a \n b"), (Texts{"a", " \n", " b"}));
  EXPECT_EQ(by_hand("a\n\nb"), (Texts{"a", "\n", "\n", "b"}));
  EXPECT_EQ(by_hand("end  "), (Texts{"end", "  "}));
  EXPECT_EQ(by_hand("'re'LL"), (Texts{"'re", "'", "LL"}));
  EXPECT_EQ(by_hand(" 'sx"), (Texts{" '", "sx"}));
}

// The hand-written matcher against the pattern itself.
TEST(SplitGpt2, AgreesWithThePatternOnRandomText) {
  // An option in front, so that the constructor does not take the matcher under test for it.
  const Pattern pattern("(?:" + std::string(kGpt2Pattern) + ")");
  const std::vector<std::string> alphabet = {"a",
                                             "Z",
                                             "é",
                                             "漢",
                                             "1",
                                             "٣",
                                             "½",
                                             " ",
                                             " ",
                                             " ",
                                             "\n",
                                             "\t",
                                             "\xC2\xA0",
                                             "\xE2\x80\x83",
                                             "'",
                                             "'",
                                             "s",
                                             "t",
                                             "re",
                                             "ll",
                                             "d",
                                             ".",
                                             "!",
                                             "😀",
                                             "\xCC\x81",
                                             "_",
                                             "\xE1\xA0\x8E",
                                             "\xE2\x80\x8B"};
  std::mt19937 random(7);
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (auto n = random() % 12; n > 0; --n) text += alphabet[random() % alphabet.size()];
    ASSERT_EQ(by_hand(text), texts_of(text, pattern.matches(text))) << text;
  }
}

TEST(Pattern, RefusesWhatEnginesReadDifferently) {
  for (const auto* source : {"(*UCP)a", "(?R)", "\\Ga", "(a)\\1", "(?C1)a", "a\\K"})
    EXPECT_THROW(Pattern{source}, Error) << source;
  EXPECT_THROW(Pattern{"(a"}, Error);
  EXPECT_THROW(Pattern{"\\p{Nonsense}"}, Error);
}

TEST(Pattern, StopsWhenATextDrivesItPastItsLimits) {
  const Pattern hostile("(?:a+)+$");
  try {
    hostile.matches(std::string(5000, 'a') + "b");
    ADD_FAILURE() << "it should have run past its limits";
  } catch (const Error& error) {
    EXPECT_THAT(error.detail(), HasSubstr("past its limits"));
  }
}

}  // namespace
}  // namespace hone::rl
