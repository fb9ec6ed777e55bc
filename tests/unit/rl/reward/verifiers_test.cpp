// Verifiers on what models write, and sums of rewards.
#include <gmock/gmock.h>

#include <chrono>
#include <limits>

#include "feedback/base/error.h"
#include "rl/reward/exact_answer.h"
#include "rl/reward/mixture.h"
#include "rl/reward/verifiers.h"

namespace hone::rl {
namespace {

using ::testing::HasSubstr;

PromptRow asked(const std::string& answer) {
  PromptRow out;
  out.answer = answer;
  out.line = 7;
  return out;
}

double value(Reward& reward, const PromptRow& prompt, const std::string& text) {
  const Completion completion{.prompt = &prompt, .text = text};
  const auto scores = reward.score({&completion, 1});
  EXPECT_TRUE(scores.at(0).scored) << text;
  return scores.at(0).value;
}

std::string refusal(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& e) {
    return e.detail();
  }
  return "accepted";
}

TEST(NormalisedAnswer, IsTheNumberHoweverItIsWritten) {
  for (const std::string text :
       {"1234", "$1,234.00.", " 1,234 ", "+1234", "01234.0", "1234...", "$1234"})
    EXPECT_EQ(normalised_answer(text), "1234") << text;
  EXPECT_EQ(normalised_answer("-$0.50"), "-0.5");
  EXPECT_EQ(normalised_answer("-0"), "0");
  EXPECT_EQ(normalised_answer(".5"), "0.5");
  EXPECT_EQ(normalised_answer("100"), "100");
  EXPECT_EQ(normalised_answer(" Paris. "), "Paris");
  EXPECT_EQ(normalised_answer("1.2.3"), "1.2.3");
  EXPECT_EQ(normalised_answer(""), "");
  EXPECT_EQ(normalised_answer("."), "");
}

// References as GSM8K has them: working first, "<<70000=70000>>" marks, the result after ####.
const std::string kReference =
    "The profit is 200,000-130,000=$<<200000-130000=70000>>70,000\n#### 70000";

TEST(ExactAnswer, StrictTakesTheNumberAfterTheLastHashes) {
  ExactAnswerReward strict("exact_answer");
  const auto prompt = asked(kReference);
  EXPECT_EQ(value(strict, prompt, "So it is\n#### 70000"), 1);
  EXPECT_EQ(value(strict, prompt, "#### $70,000.00."), 1);
  EXPECT_EQ(value(strict, prompt, "####70,000 dollars in 2 years"), 1);
  EXPECT_EQ(value(strict, prompt, "#### 1\nno, wait\n#### 70000"), 1);
  EXPECT_EQ(value(strict, prompt, "#### 70000\nno, wait\n#### 1"), 0);
  EXPECT_EQ(value(strict, prompt, "#### -70000"), 0);
  EXPECT_EQ(value(strict, prompt, "#### 7000"), 0);
  EXPECT_EQ(value(strict, prompt, "The answer is 70000."), 0);
  EXPECT_EQ(value(strict, prompt, ""), 0);
}

TEST(ExactAnswer, LenientTakesTheLastNumber) {
  ExactAnswerReward lenient("exact_answer", {.strict = false});
  const auto prompt = asked(kReference);
  EXPECT_EQ(value(lenient, prompt, "Let me see: 3 + 4. The answer is $70,000.00."), 1);
  EXPECT_EQ(value(lenient, prompt, "#### 70000"), 1);
  EXPECT_EQ(value(lenient, prompt, "70000 or 70001"), 0);
  EXPECT_EQ(value(lenient, prompt, "none"), 0);
  const auto seven = asked("#### 7"), minus = asked("#### -7");
  EXPECT_EQ(value(lenient, seven, "10-7"), 1);  // a difference, no sign
  EXPECT_EQ(value(lenient, minus, "it falls to -7"), 1);
  EXPECT_EQ(value(lenient, minus, "it costs -$7"), 1);
}

TEST(ExactAnswer, AReferenceMayBeTheBareResult) {
  ExactAnswerReward strict("exact_answer");
  EXPECT_EQ(value(strict, asked("18"), "#### 18"), 1);
  EXPECT_EQ(value(strict, asked("It is $18."), "#### 18"), 1);
  EXPECT_THAT(refusal([&] { value(strict, asked(" "), "#### 18"); }),
              HasSubstr("line 7: answer is missing"));
}

TEST(ExactAnswer, AnOwnPatternHasOneGroup) {
  ExactAnswerReward boxed("boxed", {.pattern = R"(\\boxed\{([^}]*)\})"});
  const auto prompt = asked("x+1");
  EXPECT_EQ(value(boxed, prompt, R"(so \boxed{x} and then \boxed{x+1}.)"), 1);
  EXPECT_EQ(value(boxed, prompt, "x+1"), 0);
  EXPECT_THAT(refusal([] { ExactAnswerReward("a", {.pattern = "[0-9]+"}); }),
              HasSubstr("one group"));
  EXPECT_THAT(refusal([] { ExactAnswerReward("a", {.pattern = "(a)(b)"}); }),
              HasSubstr("one group"));
  EXPECT_THAT(refusal([] { ExactAnswerReward("a", {.pattern = "(a"}); }),
              HasSubstr("does not compile"));
}

TEST(Regex, FindsTheLastMatchThroughEmptyOnesAndLongLetters) {
  std::string group;
  EXPECT_EQ(Regex("(é*)").find_last("éaéé", group), Regex::Outcome::Found);
  EXPECT_EQ(group, "");  // the empty match at the end
  EXPECT_EQ(Regex("a(b)?").find_last("abaa", group), Regex::Outcome::Found);
  EXPECT_EQ(group, "b");  // later matches have no group
  EXPECT_EQ(Regex("x(y)").find_last("abaa", group), Regex::Outcome::NotFound);
  EXPECT_EQ(Regex("HALLO", Regex::Case::Ignored).find("oh hallo"), Regex::Outcome::Found);
  EXPECT_EQ(Regex("a").find("\xff"), Regex::Outcome::Failed);
}

TEST(RegexReward, IsOneWhereFound) {
  RegexReward reward("regex", Regex("^yes\\b"));
  const auto prompt = asked("");
  EXPECT_EQ(value(reward, prompt, "yes, indeed"), 1);
  EXPECT_EQ(value(reward, prompt, "oh yes"), 0);
}

TEST(RegexReward, APatternThatRunsAwayLeavesTheAnswerUnscored) {
  const auto prompt = asked("");
  const std::vector<Completion> completions = {
      {.prompt = &prompt, .text = std::string(5000, 'a') + "!"}, {.prompt = &prompt, .text = "b"}};
  RegexReward reward("regex", Regex("(a|aa)+$"));
  const auto start = std::chrono::steady_clock::now();
  const auto scores = reward.score(completions);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
  EXPECT_FALSE(scores[0].scored);
  EXPECT_TRUE(scores[1].scored);
  EXPECT_EQ(count_unscored(scores), 1);
}

// 8 tokens wanted: 8 give 0, 6 and 10 a quarter off, none at all everything.
TEST(LengthReward, FallsWithTheShareThatIsMissingOrTooMuch) {
  LengthReward reward("length", 8);
  const auto prompt = asked("");
  const auto of = [&](std::size_t tokens) {
    const Ids ids(tokens, 5);
    const Completion completion{.prompt = &prompt, .text = "", .ids = &ids};
    return reward.score({&completion, 1}).at(0).value;
  };
  EXPECT_EQ(of(8), 0);
  EXPECT_EQ(of(6), -0.25);
  EXPECT_EQ(of(10), -0.25);
  EXPECT_EQ(of(0), -1);
}

TEST(FunctionReward, AJudgeThatFailsLeavesTheAnswerUnscored) {
  FunctionReward reward("judge", [](const Completion& completion) {
    if (completion.text == "away") throw Error(Code::Busy, "not now");
    return completion.text == "odd" ? std::numeric_limits<double>::quiet_NaN() : 0.75;
  });
  const auto prompt = asked("");
  const std::vector<Completion> completions = {{.prompt = &prompt, .text = "away"},
                                               {.prompt = &prompt, .text = "odd"},
                                               {.prompt = &prompt, .text = "well"}};
  const auto scores = reward.score(completions);
  EXPECT_FALSE(scores[0].scored || scores[1].scored);
  EXPECT_TRUE(scores[2].scored);
  EXPECT_EQ(scores[2].value, 0.75);
}

TEST(Mixture, SumsItsPartsByWeightAndKeepsThem) {
  std::vector<Mixture::Part> parts;
  parts.push_back({std::make_unique<RegexReward>("said_yes", Regex("yes")), 2});
  parts.push_back({std::make_unique<FunctionReward>("short",
                                                    [](const Completion& c) -> double {
                                                      if (c.text.empty())
                                                        throw Error(Code::Invalid, "no text");
                                                      return static_cast<double>(c.text.size());
                                                    }),
                   -0.5});
  Mixture mixture(std::move(parts));
  const auto prompt = asked("");
  const std::vector<Completion> completions = {{.prompt = &prompt, .text = "yes"},
                                               {.prompt = &prompt, .text = "no"},
                                               {.prompt = &prompt, .text = ""}};
  const auto by_part = mixture.score_parts(completions);
  ASSERT_EQ(by_part.size(), 2u);
  EXPECT_EQ(by_part[0].name, "said_yes");
  EXPECT_EQ(by_part[1].scores[0].value, 3);
  const auto sums = mixture.sum(by_part);
  EXPECT_EQ(sums[0].value, 0.5);  // 2*1 - 0.5*3
  EXPECT_EQ(sums[1].value, -1);   // 2*0 - 0.5*2
  EXPECT_FALSE(sums[2].scored);
  EXPECT_EQ(mixture.name(), "mixture");
}

}  // namespace
}  // namespace hone::rl
