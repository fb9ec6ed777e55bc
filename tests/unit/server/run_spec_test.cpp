// The body of POST /runs: defaults written out, bounds named, typos refused.
#include "services/server/json/run_spec.h"

#include <gtest/gtest.h>

#include "feedback/base/error.h"

namespace hone::server {
namespace {

using nlohmann::json;

json body() {
  return {{"project", "house-style"},
          {"method", "dpo.sigmoid.sum"},
          {"base", "smol"},
          {"snapshot", "latest"}};
}

RunAsked parse(const json& given) {
  return parse_run(given, [] { return 12345; });
}

/// The pointer under which the body is refused after `change`.
template <class Change>
std::string refused_at(Change change) {
  auto given = body();
  change(given);
  try {
    parse(given);
    return "accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::Invalid);
    return e.pointer();
  }
}

TEST(ParseRun, WritesOutTheHouseDefaults) {
  const auto run = parse(body());
  EXPECT_EQ(run.adapter, "none");
  EXPECT_EQ(run.hyperparameters, (json{{"learning_rate", 1e-6},
                                       {"batch_size", 64},
                                       {"epochs", 1},
                                       {"max_steps", nullptr},
                                       {"schedule", "cosine"},
                                       {"warmup_ratio", 0.1},
                                       {"beta", 0.1},
                                       {"max_grad_norm", 1.0},
                                       {"max_tokens", 1024},
                                       {"micro_batch_tokens", nullptr},
                                       {"nll_coefficient", 0.0},
                                       {"dtype", "float32"},
                                       {"activation_checkpointing", false},
                                       {"weight_decay", 0.0},
                                       {"adam_beta1", 0.9},
                                       {"adam_beta2", 0.999},
                                       {"adam_eps", 1e-8}}));
  EXPECT_EQ(run.evaluation, (json{{"held_out_pairs", true},
                                  {"critic", nullptr},
                                  {"max_tokens", 128},
                                  {"temperature", 0.7},
                                  {"seed", 7}}));
  EXPECT_EQ(run.seed, 12345);  // drawn, since none was named
  EXPECT_EQ(run.model, std::nullopt);
}

TEST(ParseRun, GivesLoraItsOwnLearningRateAndAllLayers) {
  auto given = body();
  given["adapter"] = "lora";
  const auto run = parse(given);
  EXPECT_EQ(run.hyperparameters["learning_rate"], 1e-5);
  EXPECT_EQ(run.adapter["rank"], 16);
  EXPECT_EQ(run.adapter["alpha"], 32.0);
  EXPECT_EQ(run.adapter["targets"].size(), 7u);
}

TEST(ParseRun, KeepsWhatIsNamed) {
  auto given = body();
  given["seed"] = 3;
  given["model"] = "House.Style-2";
  given["adapter"] = {{"type", "lora"}, {"rank", 4}, {"targets", {"q_proj", "v_proj"}}};
  given["hyperparameters"] = {{"learning_rate", 5e-5}, {"max_steps", 20}};
  const auto run = parse(given);
  EXPECT_EQ(run.seed, 3);
  EXPECT_EQ(run.model, "House.Style-2");
  EXPECT_EQ(
      run.adapter,
      (json{{"type", "lora"}, {"rank", 4}, {"alpha", 8.0}, {"targets", {"q_proj", "v_proj"}}}));
  EXPECT_EQ(run.hyperparameters["learning_rate"], 5e-5);
  EXPECT_EQ(run.hyperparameters["max_steps"], 20);
  EXPECT_EQ(run.hyperparameters["beta"], 0.1);
}

TEST(ParseRun, RefusesByPointer) {
  const auto hyper = [](const char* name, json value) {
    return refused_at([=](json& b) { b["hyperparameters"][name] = value; });
  };
  EXPECT_EQ(hyper("learning_rate", 0), "/hyperparameters/learning_rate");
  EXPECT_EQ(hyper("learning_rate", 2), "/hyperparameters/learning_rate");
  EXPECT_EQ(hyper("learning_rate", "auto"), "/hyperparameters/learning_rate");
  EXPECT_EQ(hyper("batch_size", 0), "/hyperparameters/batch_size");
  EXPECT_EQ(hyper("epochs", 1.5), "/hyperparameters/epochs");
  EXPECT_EQ(hyper("schedule", "exponential"), "/hyperparameters/schedule");
  EXPECT_EQ(hyper("beta", -0.1), "/hyperparameters/beta");
  EXPECT_EQ(hyper("warmup_ratio", 1.1), "/hyperparameters/warmup_ratio");
  EXPECT_EQ(hyper("adam_beta1", 1), "/hyperparameters/adam_beta1");
  EXPECT_EQ(hyper("learning_rte", 1e-5), "/hyperparameters/learning_rte");
  EXPECT_EQ(refused_at([](json& b) { b["hyperparameter"] = json::object(); }), "/hyperparameter");
  EXPECT_EQ(refused_at([](json& b) { b["method"] = "dpo"; }), "/method");
  EXPECT_EQ(refused_at([](json& b) { b.erase("base"); }), "/base");
  EXPECT_EQ(refused_at([](json& b) { b["snapshot"] = "the last one"; }), "/snapshot");
  EXPECT_EQ(refused_at([](json& b) { b["model"] = "../etc"; }), "/model");
  EXPECT_EQ(refused_at([](json& b) { b["model"] = "a/b"; }), "/model");
  EXPECT_EQ(refused_at([](json& b) { b["seed"] = -1; }), "/seed");
  EXPECT_EQ(refused_at([](json& b) { b["adapter"] = "qlora"; }), "/adapter");
  EXPECT_EQ(refused_at([](json& b) {
              b["adapter"] = {{"type", "lora"}, {"rank", 0}};
            }),
            "/adapter/rank");
  EXPECT_EQ(refused_at([](json& b) {
              b["adapter"] = {{"type", "lora"}, {"targets", {"lm_head"}}};
            }),
            "/adapter/targets");
  EXPECT_EQ(refused_at([](json& b) { b["adapter"] = {{"type", "lora"}, {"r", 8}}; }), "/adapter/r");
  EXPECT_EQ(refused_at([](json& b) { b["evaluation"]["critic"] = "mine"; }), "/evaluation/critic");
  EXPECT_EQ(refused_at([](json& b) { b["evaluation"]["temperature"] = -1; }),
            "/evaluation/temperature");
}

TEST(ParseRun, TakesSeedsAsAListOrACountFromSeedOn) {
  auto given = body();
  given["seeds"] = {5, 1, 2};
  EXPECT_EQ(parse(given).seeds, (std::vector<std::int64_t>{5, 1, 2}));
  EXPECT_EQ(parse(given).seed, 5);
  given["seeds"] = 3;
  EXPECT_EQ(parse(given).seeds, (std::vector<std::int64_t>{12345, 12346, 12347}));
  given["seed"] = 0;
  EXPECT_EQ(parse(given).seeds, (std::vector<std::int64_t>{0, 1, 2}));
  // One seed is a run like any other.
  given["seeds"] = 1;
  EXPECT_TRUE(parse(given).seeds.empty());
  EXPECT_EQ(parse(given).seed, 0);
  given.erase("seed");
  given["seeds"] = {7};
  EXPECT_TRUE(parse(given).seeds.empty());
  EXPECT_EQ(parse(given).seed, 7);
  // A drawn seed leaves room for those after it.
  given["seeds"] = 2;
  EXPECT_EQ(parse_run(given, [] { return std::int64_t{0x7fffffff}; }).seeds,
            (std::vector<std::int64_t>{0x7ffffffe, 0x7fffffff}));
}

TEST(ParseRun, TakesSeedsOfOneSourceOfChanceBesideOthers) {
  auto given = body();
  EXPECT_EQ(parse(given).seeds_apart, json::object());
  given["seeds"] = {1, 2};
  given["order_seed"] = 0;
  given["sample_seed"] = 9;
  EXPECT_EQ(parse(given).seeds_apart, (json{{"order_seed", 0}, {"sample_seed", 9}}));
  for (const std::string name : {"init_seed", "order_seed", "sample_seed"})
    for (const json& bad : {json(-1), json(1.5), json("1"), json(std::int64_t{1} << 31)})
      EXPECT_EQ(refused_at([&](json& b) { b[name] = bad; }), "/" + name);
}

TEST(ParseRun, RefusesSeedsByPointer) {
  const auto seeds = [](json value) {
    return refused_at([&](json& b) { b["seeds"] = std::move(value); });
  };
  EXPECT_EQ(seeds(0), "/seeds");
  EXPECT_EQ(seeds(65), "/seeds");
  EXPECT_EQ(seeds("3"), "/seeds");
  EXPECT_EQ(seeds(json::array()), "/seeds");
  EXPECT_EQ(seeds(json(std::vector<int>(65, 1))), "/seeds");
  EXPECT_EQ(seeds({1, -1}), "/seeds/1");
  EXPECT_EQ(seeds({1, 2, "3"}), "/seeds/2");
  EXPECT_EQ(seeds({1, 2.5}), "/seeds/1");
  EXPECT_EQ(seeds(json::array({std::int64_t{1} << 31})), "/seeds/0");
  EXPECT_EQ(seeds({4, 5, 4}), "/seeds/2");
  const auto both = [](json value) {
    return refused_at([&](json& b) {
      b["seed"] = 0x7fffffff;
      b["seeds"] = std::move(value);
    });
  };
  EXPECT_EQ(both({1, 2}), "/seed");
  EXPECT_EQ(both(2), "/seeds");
}

/// What is said of a method that is refused.
std::string said_of(const char* method) {
  auto given = body();
  given["method"] = method;
  try {
    parse(given);
  } catch (const Error& e) {
    return e.detail();
  }
  return "accepted";
}

TEST(ParseRun, NamesTheMethodsThatAreMeant) {
  EXPECT_NE(said_of("ipo").find("ipo.sum or ipo.mean"), std::string::npos);
  EXPECT_NE(said_of("dpo.sigmod").find("dpo.sigmoid.sum"), std::string::npos);
  EXPECT_NE(said_of("distill.jsd").find("is imitated"), std::string::npos);
}

// ---- what a method learns from beside rows

const std::string kId = "0190b0a0-0000-7000-8000-000000000001";
const std::string kOther = "0190b0a0-0000-7000-8000-000000000002";

json policy_body(const json& reward) {
  auto given = body();
  given["method"] = "grpo_token";
  given["reward"] = reward;
  return given;
}

std::string reward_refused_at(const json& reward) {
  return refused_at([&](json& b) { b = policy_body(reward); });
}

TEST(ParseReward, IsAListWithNamesAndWeightsWrittenOut) {
  EXPECT_EQ(parse(policy_body({{"critic", kId}})).reward,
            (json::array({{{"critic", kId}, {"name", "critic"}, {"weight", 1.0}}})));
  const auto run =
      parse(policy_body(json::array({{{"model", kId}, {"name", "kind"}},
                                     {{"model", kOther}},
                                     {{"type", "length"}, {"tokens", 40}, {"weight", -0.5}},
                                     {{"type", "regex"}, {"pattern", "^Dear"}},
                                     {{"type", "exact_answer"}},
                                     {{"critic", kId}},
                                     {{"critic", kOther}}})));
  EXPECT_EQ(
      run.reward,
      (json::array({{{"model", kId}, {"name", "kind"}, {"weight", 1.0}},
                    {{"model", kOther}, {"name", "model"}, {"weight", 1.0}},
                    {{"type", "length"}, {"tokens", 40}, {"name", "length"}, {"weight", -0.5}},
                    {{"type", "regex"},
                     {"pattern", "^Dear"},
                     {"ignore_case", false},
                     {"name", "regex"},
                     {"weight", 1.0}},
                    {{"type", "exact_answer"},
                     {"form", "strict"},
                     {"name", "exact_answer"},
                     {"weight", 1.0}},
                    {{"critic", kId}, {"name", "critic"}, {"weight", 1.0}},
                    {{"critic", kOther}, {"name", "critic_2"}, {"weight", 1.0}}})));
  EXPECT_TRUE(run.gold.is_null());
  EXPECT_EQ(run.hyperparameters["group_size"], 8);
}

TEST(ParseReward, RefusesByPointer) {
  EXPECT_EQ(reward_refused_at(json::array()), "/reward");
  EXPECT_EQ(reward_refused_at("short"), "/reward");
  EXPECT_EQ(reward_refused_at(json::object()), "/reward/critic");
  EXPECT_EQ(reward_refused_at({{"critic", "mine"}}), "/reward/critic");
  EXPECT_EQ(reward_refused_at({{"critic", kId}, {"model", kId}}), "/reward/critic");
  EXPECT_EQ(reward_refused_at(json::array({{{"critic", kId}}, {{"model", "tidy/1"}}})),
            "/reward/1/model");
  EXPECT_EQ(reward_refused_at({{"type", "rule"}, {"rule", json::object()}}), "/reward/type");
  EXPECT_EQ(reward_refused_at({{"type", "length"}}), "/reward/tokens");
  EXPECT_EQ(reward_refused_at({{"type", "regex"}, {"pattern", "(open"}}), "/reward/pattern");
  EXPECT_EQ(reward_refused_at({{"type", "exact_answer"}, {"pattern", "(x)"}, {"form", "strict"}}),
            "/reward/form");
  EXPECT_EQ(reward_refused_at({{"critic", kId}, {"weight", 0}}), "/reward/weight");
  EXPECT_EQ(reward_refused_at({{"critic", kId}, {"name", "Kind!"}}), "/reward/name");
  EXPECT_EQ(reward_refused_at({{"critic", kId}, {"offset", 1}}), "/reward/offset");
  EXPECT_EQ(reward_refused_at(json::array(
                {{{"critic", kId}, {"name", "a"}}, {{"critic", kOther}, {"name", "a"}}})),
            "/reward/1/name");
}

TEST(ParseReward, IsForMethodsThatDrawAnswersAndATeacherForDistillation) {
  EXPECT_EQ(refused_at([](json& b) { b["method"] = "ppo"; }), "/reward");
  EXPECT_EQ(refused_at([](json& b) { b["reward"] = {{"critic", kId}}; }), "/reward");
  EXPECT_EQ(refused_at([](json& b) { b["gold"] = {{"critic", kId}}; }), "/gold");
  EXPECT_EQ(refused_at([](json& b) { b["teacher"] = "smol"; }), "/teacher");
  EXPECT_EQ(refused_at([](json& b) { b["method"] = "distill.forward"; }), "/teacher");
  EXPECT_EQ(refused_at([](json& b) {
              b["method"] = "rm.sigmoid";
              b["evaluation"]["critic"] = kId;
            }),
            "/evaluation/critic");
  auto given = body();
  given["method"] = "distill.forward";
  given["teacher"] = "smol";
  EXPECT_EQ(parse(given).teacher, "smol");
  given = policy_body({{"critic", kId}});
  given["gold"] = {{"model", kOther}};
  EXPECT_EQ(parse(given).gold.size(), 1u);
}

}  // namespace
}  // namespace hone::server
