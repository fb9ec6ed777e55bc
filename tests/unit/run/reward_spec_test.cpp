// Rewards as JSON: what is read, what is refused and where.
#include "services/run/reward_spec.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>

#include "feedback/base/error.h"

namespace hone::run {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

RewardSpec parse(const char* text) { return parse_reward_spec(json::parse(text), "/data"); }

/// "pointer: detail" of the refusal.
std::string refused(const char* text) {
  try {
    parse(text);
  } catch (const Error& e) {
    return e.pointer() + ": " + e.detail();
  }
  return "accepted";
}

rl::Score score(const RewardSpec& spec, const std::string& text, const std::string& answer = "") {
  auto reward = make_reward(spec, {});
  rl::PromptRow prompt;
  prompt.answer = answer;
  const rl::Ids ids(4, 1);
  const rl::Completion completion{.prompt = &prompt, .text = text, .ids = &ids};
  return reward.score({&completion, 1}).at(0);
}

TEST(RewardSpec, OfEachTypeScores) {
  EXPECT_EQ(
      score(parse(R"({"type":"rule","rule":{"rules":[{"type":"contains","text":"please"}]}})"),
            "Yes, please")
          .value,
      1);
  const auto exact = parse(R"({"type":"exact_answer"})");
  EXPECT_TRUE(exact.parts[0].needs_answers);
  EXPECT_EQ(score(exact, "#### 1,000", "#### 1000").value, 1);
  EXPECT_EQ(score(exact, "1,000", "#### 1000").value, 0);
  EXPECT_EQ(score(parse(R"({"type":"exact_answer","form":"lenient"})"), "1,000", "#### 1000").value,
            1);
  EXPECT_EQ(score(parse(R"({"type":"exact_answer","pattern":"<(.*)>"})"), "<so>", "so").value, 1);
  EXPECT_EQ(score(parse(R"({"type":"regex","pattern":"YES","ignore_case":true})"), "yes").value, 1);
  EXPECT_EQ(score(parse(R"({"type":"length","tokens":8})"), "").value, -0.5);
}

TEST(RewardSpec, ARuleOutOfItsBoundsLeavesTheAnswerUnscored) {
  const auto spec =
      parse(R"({"type":"rule","rule":{"rules":[{"type":"matches","pattern":"(a|aa)+$"}]}})");
  EXPECT_FALSE(score(spec, std::string(5000, 'a') + "!").scored);
}

TEST(RewardSpec, AListIsSummedByWeightUnderDifferentNames) {
  const auto spec = parse(
      R"([{"type":"regex","pattern":"yes","weight":2},
          {"type":"regex","pattern":"no","weight":-1,"name":"said_no"}])");
  EXPECT_EQ(score(spec, "yes").value, 2);
  EXPECT_EQ(score(spec, "yes and no").value, 1);
  EXPECT_EQ(
      spec.canonical(),
      R"([{"ignore_case":false,"name":"regex","pattern":"yes","type":"regex","weight":2.0},{"ignore_case":false,"name":"said_no","pattern":"no","type":"regex","weight":-1.0}])");
}

TEST(RewardSpec, ARewardModelsUnitsAreThoseItWasPublishedIn) {
  const auto run = std::filesystem::path(::testing::TempDir()) / "hone-published-reward";
  std::filesystem::create_directories(run / "reward");
  std::filesystem::create_directories(run / "hone");
  std::ofstream(run / "hone/reward.json") << R"({"offset": -1.5, "scale": 4, "temperature": 0.7})";
  const auto units = [&](const std::string& more) {
    const auto text =
        R"({"type":"reward_model","path":")" + (run / "reward").string() + "\"" + more + "}";
    const auto part = nlohmann::json::parse(parse(text.c_str()).parts[0].canonical);
    return std::vector<double>{part.at("offset"), part.at("scale")};
  };
  EXPECT_THAT(units(""), testing::ElementsAre(-1.5, 4.0));
  EXPECT_THAT(units(R"(,"offset":0)"),
              testing::ElementsAre(0.0, 4.0));  // what is given goes before
  std::filesystem::remove_all(run);
}

TEST(RewardSpec, ARewardModelIsOpenedWhenTheRunIs) {
  const auto spec =
      parse(R"({"type":"reward_model","path":"rm","offset":0.5,"scale":2,"name":"taste"})");
  EXPECT_EQ(spec.parts[0].model, "/data/rm");
  const rl::TextRules rules;
  std::string opened;
  const auto open = [&](const std::string& name, const std::filesystem::path& path,
                        const rl::TextRules&, const rl::ModelRewardOptions& options) {
    opened = path;
    return std::make_unique<rl::FunctionReward>(
        name, [=](const rl::Completion&) { return options.offset + options.scale; });
  };
  auto reward = make_reward(spec, {.policy_rules = &rules, .open_model = open});
  EXPECT_EQ(opened, "/data/rm");
  EXPECT_EQ(reward.name(), "taste");
}

TEST(RewardSpec, WrongOnesAreToldByPointer) {
  EXPECT_THAT(refused(R"({"type":"magic"})"), HasSubstr("/reward/type: "));
  EXPECT_THAT(refused(R"({"type":"regex"})"), HasSubstr("/reward/pattern: "));
  EXPECT_THAT(refused(R"({"type":"regex","pattern":"("})"), HasSubstr("does not compile"));
  EXPECT_THAT(refused(R"({"type":"regex","pattern":"a","case":1})"), HasSubstr("/reward/case: "));
  EXPECT_THAT(refused(R"({"type":"length","tokens":0})"), HasSubstr("/reward/tokens: "));
  EXPECT_THAT(refused(R"({"type":"length","tokens":1,"weight":0})"), HasSubstr("/reward/weight: "));
  EXPECT_THAT(refused(R"({"type":"length","tokens":1,"name":"A b"})"), HasSubstr("/reward/name: "));
  EXPECT_THAT(refused(R"({"type":"exact_answer","pattern":"a"})"), HasSubstr("one group"));
  EXPECT_THAT(refused(R"({"type":"exact_answer","pattern":"(a).","form":"strict"})"),
              HasSubstr("/reward/form: "));
  EXPECT_THAT(refused(R"({"type":"rule","rule":{"rules":[{"type":"contains"}]}})"),
              HasSubstr("/reward/rule/rules/0/text: "));
  EXPECT_THAT(refused(R"({"type":"reward_model"})"), HasSubstr("/reward/path: "));
  EXPECT_THAT(refused("[]"), HasSubstr("/reward: "));
  EXPECT_THAT(refused(R"([{"type":"length","tokens":1},{"type":"length","tokens":2}])"),
              HasSubstr("/reward/1/name: two rewards"));
}

}  // namespace
}  // namespace hone::run
