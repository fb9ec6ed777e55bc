// Judges, probabilities, ties and bad answers on their way from a file's rows into pairs.
#include <gmock/gmock.h>

#include "rl/data/pairs.h"
#include "tests/unit/rl/data/support.h"

namespace hone::rl {
namespace {

using namespace testing;
using ::testing::HasSubstr;
using Unit = PairOptions::Unit;
using Ties = PairOptions::Ties;

PairData read(const std::string& text, const PairOptions& options = {}) {
  return from_file(text, [&](const auto& path) { return read_pairs(path, tiny_rules(), options); });
}

std::string refused(const std::string& text) {
  return refusal([&] { read(text); });
}

std::string judgment(const std::string& judge, const std::string& verdict,
                     const std::string& strength, const std::string& flip = "0.1") {
  return R"({"id":"i","judge":")" + judge + R"(","kind":"person","verdict":")" + verdict +
         R"(","strength":)" + strength + R"(,"flip":)" + flip + "}";
}

std::string snapshot(double p, const std::string& judgments, const std::string& prompt = "a",
                     const std::string& split = "train") {
  return R"({"comparison":"x","prompt":[{"role":"user","content":")" + prompt +
         R"("}],"responses":[{"messages":[{"role":"assistant","content":"first"}]},{"messages":[{"role":"assistant","content":"second"}]}],"p":)" +
         std::to_string(p) + R"(,"split":")" + split + R"(","judgments":[)" + judgments + "]}\n";
}

std::string trl(const std::string& more) {
  return R"({"prompt":"a","chosen":"b","rejected":"c")" + (more.empty() ? "" : "," + more) + "}\n";
}

const Ids& first_answer() {
  static const Ids out = read(snapshot(0.9, "")).train.at(0).chosen;
  return out;
}

// Ann (+3, wrong 0.1) and Bob (+1, wrong 0.2) for the first answer, Cy (-2, wrong 0.3) against it:
// strength (3+1-2)/3, rate (0.1+0.2+0.3)/3.
const std::string kThree = judgment("ann", "prefer", "3") + "," +
                           judgment("bob", "prefer", "1", "0.2") + "," +
                           judgment("cy", "prefer", "-2", "0.3");

TEST(PairLabels, OfAComparisonAreItsJudgesTogether) {
  const auto data = read(snapshot(0.8, kThree));
  ASSERT_EQ(data.train.size(), 1u);
  const auto& pair = data.train[0];
  EXPECT_EQ(pair.p, 0.8);
  EXPECT_NEAR(pair.strength, 2.0 / 3, 1e-12);
  EXPECT_NEAR(pair.flip, 0.2, 1e-12);
  EXPECT_EQ(pair.weight, 1);
  EXPECT_EQ(data.judges, (std::vector<std::string>{"ann", "bob", "cy"}));
  EXPECT_EQ(pair.judges, (std::vector<std::uint32_t>{0, 1, 2}));

  // Seen from the other side: p 0.2 makes the second the chosen one, with 0.8.
  const auto other = read(snapshot(0.2, judgment("cy", "prefer", "-2"))).train.at(0);
  EXPECT_NEAR(other.p, 0.8, 1e-12);
  EXPECT_EQ(other.strength, 2);
  EXPECT_NE(other.chosen, first_answer());
}

TEST(PairLabels, OfJudgmentsAreOneRowEachThatTogetherWeighOne) {
  const auto data = read(snapshot(0.8, kThree), {.unit = Unit::Judgment});
  ASSERT_EQ(data.train.size(), 3u);
  double weight = 0;
  for (const auto& pair : data.train) {
    EXPECT_EQ(pair.p, 1);
    EXPECT_EQ(pair.judges.size(), 1u);
    weight += pair.weight;
  }
  EXPECT_NEAR(weight, 1, 1e-12);
  EXPECT_EQ(data.train[0].chosen, first_answer());
  EXPECT_EQ(data.train[0].strength, 3);
  EXPECT_EQ(data.train[1].flip, 0.2);
  EXPECT_EQ(data.train[2].rejected, first_answer());  // Cy's own view
  EXPECT_EQ(data.train[2].strength, 2);
  EXPECT_EQ(data.duplicates, 0);  // of the file's rows
}

TEST(PairLabels, JudgmentsThatAreNoPreferenceLeaveTheirWeightToTheOthers) {
  const auto mixed = judgment("ann", "prefer", "1") + "," + judgment("bob", "tie", "0") + "," +
                     judgment("cy", "both_bad", "null");
  auto data = read(snapshot(0.9, mixed), {.unit = Unit::Judgment});
  ASSERT_EQ(data.train.size(), 1u);
  EXPECT_EQ(data.train[0].weight, 1);
  data = read(snapshot(0.9, mixed), {.ties = Ties::Keep, .unit = Unit::Judgment});
  ASSERT_EQ(data.train.size(), 2u);
  EXPECT_TRUE(data.train[1].tie);
  EXPECT_EQ(data.train[1].p, 0.5);
  EXPECT_EQ(data.train[1].weight, 0.5);
}

TEST(PairLabels, RatesAreClampedAndJudgesAsGoodAsChanceAreLeftOut) {
  const auto rows = snapshot(0.8, judgment("ann", "prefer", "1", "0.001") + "," +
                                      judgment("eve", "prefer", "3", "0.45")) +
                    snapshot(0.55, judgment("eve", "prefer", "1", "0.45"), "b");
  for (const auto unit : {Unit::Comparison, Unit::Judgment}) {
    const auto data = read(rows, {.unit = unit});
    ASSERT_EQ(data.train.size(), 1u);
    EXPECT_EQ(data.train[0].flip, 0.02);
    EXPECT_EQ(data.train[0].strength, 1);
    EXPECT_EQ(data.judges, std::vector<std::string>{"ann"});
    EXPECT_EQ(data.judges_excluded, 1);
    EXPECT_EQ(data.unjudged, 1);
    EXPECT_EQ(data.dropped(), 1);
  }
}

TEST(PairLabels, TiesAreKeptWhenAskedForAndTwoBadAnswersNever) {
  const auto rows = snapshot(0.9, judgment("ann", "prefer", "1")) +
                    snapshot(0.5, judgment("ann", "tie", "0"), "b") +
                    snapshot(0.5, judgment("ann", "both_bad", "null"), "c");
  auto data = read(rows);
  EXPECT_EQ(data.train.size(), 1u);
  EXPECT_EQ(data.ties, 1);
  EXPECT_EQ(data.both_bad, 1);
  data = read(rows, {.ties = Ties::Keep});
  ASSERT_EQ(data.train.size(), 2u);
  EXPECT_TRUE(data.train[1].tie);
  EXPECT_EQ(data.train[1].chosen, first_answer());
  EXPECT_EQ(data.ties, 0);
  EXPECT_EQ(data.both_bad, 1);
}

TEST(PairLabels, MayStandInTrlsRowsToo) {
  auto data = read(trl(
      R"("p":0.7,"strength":2,"judge":"ann","flip":0.25,"chosen_acceptable":true,"rejected_acceptable":false,"source":"web","tags":["de","short"])"));
  const auto& pair = data.train.at(0);
  EXPECT_EQ(pair.p, 0.7);
  EXPECT_EQ(pair.strength, 2);
  EXPECT_EQ(pair.flip, 0.25);
  EXPECT_EQ(pair.chosen_acceptable, true);
  EXPECT_EQ(pair.rejected_acceptable, false);
  EXPECT_EQ(pair.slice, "web,de,short");
  EXPECT_EQ(data.judges, std::vector<std::string>{"ann"});
  EXPECT_EQ(read(trl(R"("margin":1.5)")).train.at(0).strength, 1.5);

  EXPECT_EQ(read(trl(R"("p":0.7,"judge":"ann")"), {.unit = Unit::Judgment}).train.at(0).p, 0.7);

  const auto plain = read(trl("")).train.at(0);
  EXPECT_EQ(plain.p, 1);
  EXPECT_EQ(plain.flip, 0);
  EXPECT_EQ(plain.chosen_acceptable, std::nullopt);

  data = read(trl("") + trl(R"("tie":true)") + trl(R"("p":0.5)") + trl(R"("both_bad":true)"));
  EXPECT_EQ(data.ties, 2);
  EXPECT_EQ(data.both_bad, 1);
}

TEST(PairLabels, ThatCannotBeAreToldByLineAndField) {
  EXPECT_THAT(refused(trl("") + trl(R"("p":0.4)")),
              HasSubstr("line 2: p must be a number from 0.5"));
  EXPECT_THAT(refused(trl(R"("p":"much")")), HasSubstr("line 1: p must be a number"));
  EXPECT_THAT(refused(trl(R"("tie":true,"p":0.9)")), HasSubstr("p must be 0.5"));
  EXPECT_THAT(refused(trl(R"("tie":1)")), HasSubstr("tie must be true or false"));
  EXPECT_THAT(refused(trl(R"("strength":4)")), HasSubstr("strength must be a number from 0 to 3"));
  EXPECT_THAT(refused(trl(R"("strength":1,"margin":1)")), HasSubstr("give one of them"));
  EXPECT_THAT(refused(trl(R"("tags":"de")")), HasSubstr("tags must be a list"));
  EXPECT_THAT(refused(trl(R"("split":"test")")), HasSubstr("split must be"));
  EXPECT_THAT(refused(snapshot(0.9, judgment("ann", "prefer", "0"))),
              HasSubstr("judgments/0/strength must not be 0"));
  EXPECT_THAT(refused(snapshot(0.9, judgment("ann", "likes", "1"))),
              HasSubstr("judgments/0/verdict"));
  EXPECT_THAT(refused(snapshot(0.9, judgment("ann", "prefer", "1", "2"))),
              HasSubstr("judgments/0/flip must be a number from 0 to 1"));
}

TEST(PairLabels, RowsTwiceAndPromptsOfBothSplitsAreCounted) {
  const auto data = read(snapshot(0.9, "") + snapshot(0.9, "", "b") + snapshot(0.9, "") +
                         snapshot(0.9, "", "a", "held_out") + snapshot(0.9, "", "c", "held_out"));
  EXPECT_EQ(data.duplicates, 1);
  EXPECT_EQ(data.leaked_prompts, 1);
  EXPECT_EQ(data.train.size(), 3u);
  EXPECT_EQ(data.held_out.size(), 2u);
}

TEST(PairTokens, ATextThatBeginsTwiceIsRefused) {
  EXPECT_THAT(refused(R"({"prompt":"<|begin_of_text|>a","chosen":"b","rejected":"c"})"),
              HasSubstr("line 1: prompt begins with two <|begin_of_text|>"));
  const auto twice = rules_with("{{ bos_token }}" + kChat);
  EXPECT_THAT(refusal([&] {
                from_file(snapshot(0.9, ""),
                          [&](const auto& path) { return read_pairs(path, twice, 100); });
              }),
              HasSubstr("begins with two"));
}

TEST(PairTokens, AnEndTokenStandsAtTheEndAlone) {
  const std::string row =
      R"({"prompt":[{"role":"user","content":"a"}],"chosen":"b<|eot_id|>","rejected":"c"})";
  const auto end = tiny_rules().end_ids.front();
  const auto chosen = read(row).train.at(0).chosen;
  EXPECT_EQ(std::count(chosen.begin(), chosen.end(), end), 1);
  EXPECT_EQ(chosen.back(), end);
  EXPECT_THAT(
      refused(
          R"({"prompt":[{"role":"user","content":"a"}],"chosen":"b<|eot_id|>b","rejected":"c"})"),
      HasSubstr("line 1: chosen holds the end token"));
  EXPECT_THAT(
      refused(
          R"({"prompt":[{"role":"user","content":"a"}],"chosen":"b","rejected":"c<|eot_id|><|eot_id|>"})"),
      HasSubstr("rejected holds the end token"));
}

TEST(PairTokens, OutsideTheModelsVocabularyAreRefused) {
  auto rules = tiny_rules();
  rules.vocab_size = 5;
  EXPECT_THAT(refusal([&] {
                from_file(trl(""), [&](const auto& path) { return read_pairs(path, rules, 100); });
              }),
              HasSubstr("outside the model's vocabulary of 5"));
}

}  // namespace
}  // namespace hone::rl
