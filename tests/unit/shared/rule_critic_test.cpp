// Rule critics: what each rule gives, what a spec is refused for, and by which pointer.
#include "services/shared/rule_critic.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "feedback/base/error.h"

namespace hone::shared {
namespace {

using feedback::CriticChoice;
using nlohmann::json;

double score(const json& rule, std::string_view answer) {
  return RuleCritic::parse({{"rules", {rule}}}).score(answer);
}

/// The pointer under which a spec is refused; "accepted" when it is not.
std::string refused_at(const json& spec) {
  try {
    RuleCritic::parse(spec);
    return "accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::Invalid);
    EXPECT_FALSE(e.detail().empty());
    return e.pointer();
  }
}

TEST(RuleCritic, GradesLength) {
  const json rule{{"type", "max_words"}, {"value", 4}};
  EXPECT_EQ(score(rule, "one two three four"), 1);
  EXPECT_EQ(score(rule, "one two three four five six"), 0.5);
  EXPECT_EQ(score({{"type", "min_chars"}, {"value", 10}}, "  12345\n"), 0.5);
  EXPECT_EQ(score({{"type", "max_chars"}, {"value", 5}}, "12345"), 1);
  EXPECT_EQ(score({{"type", "min_words"}, {"value", 2}}, "two words"), 1);
  EXPECT_EQ(score({{"type", "max_sentences"}, {"value", 1}}, "One. Two."), 0);
}

TEST(RuleCritic, FindsTexts) {
  const json hello{{"type", "contains"}, {"text", "Stra\u00dfe (1+1)"}, {"ignore_case", true}};
  EXPECT_EQ(score(hello, "in der STRA\u00dfE (1+1)!"), 1);  // literal: no pattern characters
  EXPECT_EQ(score(hello, "in der Strase"), 0);
  EXPECT_EQ(score({{"type", "not_contains"}, {"text", "sorry"}}, "Sorry"), 1);
  EXPECT_EQ(score({{"type", "not_contains"}, {"text", "sorry"}, {"ignore_case", true}}, "Sorry"),
            0);
  EXPECT_EQ(score({{"type", "starts_with"}, {"text", "Sure"}}, "\n Sure, here"), 1);
  EXPECT_EQ(score({{"type", "starts_with"}, {"text", "Sure"}}, "Well, Sure"), 0);
  EXPECT_EQ(score({{"type", "ends_with"}, {"text", "?"}}, "Really? Yes?  \n"), 1);
  EXPECT_EQ(score({{"type", "ends_with"}, {"text", "?"}}, "Really? Yes."), 0);
}

TEST(RuleCritic, MatchesPatterns) {
  EXPECT_EQ(score({{"type", "matches"}, {"pattern", "^#### -?\\d+$"}}, "#### 42"), 1);
  EXPECT_EQ(score({{"type", "not_matches"}, {"pattern", "(?i)as an ai"}}, "As an AI, I"), 0);
  EXPECT_EQ(score({{"type", "matches"}, {"pattern", "^\\w+$"}}, "\u00fcber"),
            1);  // \w is Unicode's
}

TEST(RuleCritic, KnowsJson) {
  EXPECT_EQ(score({{"type", "json"}}, " {\"a\": [1, 2]} "), 1);
  EXPECT_EQ(score({{"type", "json"}}, "{\"a\": [1, 2]} and more"), 0);
  EXPECT_EQ(score({{"type", "json"}}, std::string(200'000, '[')), 0);  // deep, refused, not crashed
}

// "Привет, мир ok" has 9 Cyrillic letters of 11: 0.818.
TEST(RuleCritic, MeasuresTheShareOfAScript) {
  const std::string mixed = "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440 ok";
  EXPECT_EQ(score({{"type", "script"}, {"script", "Cyrillic"}, {"min_share", 0.8}}, mixed), 1);
  EXPECT_EQ(score({{"type", "script"}, {"script", "Cyrillic"}}, mixed), 0);
  EXPECT_EQ(score({{"type", "script"}, {"script", "Han"}}, "\u4f60\u597d, 3"), 1);
  EXPECT_EQ(score({{"type", "script"}, {"script", "Latin"}}, "1 + 1 = 2"), 0);  // no letters at all
}

// weights 3 and 1, the first kept and the second not: 3/4.
TEST(RuleCritic, WeighsRules) {
  const auto critic = RuleCritic::parse(
      {{"rules", {{{"type", "ends_with"}, {"text", "."}, {"weight", 3}}, {{"type", "json"}}}}});
  EXPECT_EQ(critic.score("A sentence."), 0.75);
}

TEST(RuleCritic, ComparesInEitherOrderAlike) {
  const auto critic = RuleCritic::parse({{"rules", {{{"type", "max_words"}, {"value", 4}}}}});
  const auto verdict = critic.compare("p", "one two", "1 2 3 4 5 6 7");
  EXPECT_EQ(verdict.choice, CriticChoice::Prefer);
  EXPECT_EQ(verdict.strength, 3);  // 1 against 1 - 3/4
  EXPECT_EQ(critic.compare("p", "1 2 3 4 5 6 7", "one two").strength, -3);
  EXPECT_EQ(critic.compare("p", "one two", "one").choice, CriticChoice::Tie);
  EXPECT_EQ(critic.compare("p", "1 2 3 4 5 6 7 8", "1 2 3 4 5 6 7 8 9").choice,
            CriticChoice::BothBad);
}

TEST(RuleCritic, JudgesTextThatIsNotUtf8) {
  EXPECT_EQ(score({{"type", "contains"}, {"text", "fine"}}, "\xFF\xFE fine"), 1);
}

TEST(RuleCritic, RefusesWhatItCannotKeep) {
  EXPECT_EQ(refused_at(json::array()), "");
  EXPECT_EQ(refused_at(json::object()), "/rules");
  EXPECT_EQ(refused_at({{"rules", json::array()}}), "/rules");
  EXPECT_EQ(refused_at({{"rules", {{{"type", "json"}}}}, {"dleta", 1}}), "/dleta");
  EXPECT_EQ(refused_at({{"rules", {{{"type", "json"}}}}, {"delta", 0}}), "/delta");
  EXPECT_EQ(refused_at({{"rules", {{{"type", "politeness"}}}}}), "/rules/0/type");
  EXPECT_EQ(refused_at({{"rules", {{{"type", "max_words"}}}}}), "/rules/0/value");
  EXPECT_EQ(refused_at({{"rules", {{{"type", "max_words"}, {"value", 0}}}}}), "/rules/0/value");
  EXPECT_EQ(refused_at({{"rules", {{{"type", "max_words"}, {"value", 2.5}}}}}), "/rules/0/value");
  EXPECT_EQ(refused_at({{"rules", {{{"type", "json"}, {"weight", -1}}}}}), "/rules/0/weight");
  EXPECT_EQ(refused_at({{"rules", {{{"type", "json"}, {"wei/ght", 1}}}}}), "/rules/0/wei~1ght");
  EXPECT_EQ(refused_at({{"rules", {{{"type", "contains"}, {"text", ""}}}}}), "/rules/0/text");
  EXPECT_EQ(refused_at({{"rules", {{{"type", "matches"}, {"pattern", "(unclosed"}}}}}),
            "/rules/0/pattern");
  EXPECT_EQ(refused_at({{"rules", {{{"type", "matches"}, {"pattern", "\\C"}}}}}),
            "/rules/0/pattern");
  EXPECT_EQ(refused_at({{"rules", {{{"type", "script"}, {"script", "Klingon"}}}}}),
            "/rules/0/script");
  EXPECT_EQ(refused_at({{"rules", {{{"type", "script"}, {"script", "Latin}|."}}}}}),
            "/rules/0/script");
}

TEST(RuleCritic, RefusesTextThatIsNotJson) {
  EXPECT_THROW(RuleCritic::parse_text("{rules"), Error);
  EXPECT_THROW(RuleCritic::parse(std::string("{rules")),
               Error);  // read, not taken as a JSON string
}

// (a+)+$ against a...ab needs 2^n steps; the limit ends it, and no verdict is invented.
TEST(RuleCritic, EndsAPatternThatBacktracksForEver) {
  const auto critic = RuleCritic::parse(
      {{"rules", {{{"type", "json"}}, {{"type", "matches"}, {"pattern", "^(a+)+$"}}}}});
  try {
    critic.score(std::string(40, 'a') + "b");
    FAIL() << "the pattern came to an end";
  } catch (const Error& e) {
    EXPECT_EQ(e.pointer(), "/rules/1/pattern");
  }
}

TEST(RuleCritic, HasOneCanonicalFormForEqualSpecs) {
  const auto a = RuleCritic::parse_text(R"({"rules":[{"value":60,"type":"max_words"}]})");
  const auto b = RuleCritic::parse_text(
      R"({"delta":0.001,"rules":[{"type":"max_words","weight":1.0,"value":60}]})");
  EXPECT_EQ(a.canonical(), b.canonical());
  EXPECT_EQ(RuleCritic::parse_text(a.canonical()).canonical(), a.canonical());
  EXPECT_NE(a.canonical(),
            RuleCritic::parse_text(R"({"rules":[{"value":61,"type":"max_words"}]})").canonical());
}

}  // namespace
}  // namespace hone::shared
