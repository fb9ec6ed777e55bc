// Every method of the table, through the real door: it trains, it resumes bit for bit, its step
// does not depend on how it is cut, and it learns what it is meant to.
#include <algorithm>
#include <cmath>
#include <memory>

#include "feedback/base/error.h"
#include "rl/formats/base.h"
#include "rl/formats/safetensors.h"
#include "rl/reward/mixture.h"
#include "tests/unit/rl/train/support.h"

namespace hone::rl {
namespace {

using namespace testing;
using feedback::Family;

/// Pays the share of an answer's tokens whose ids are even: any model can learn it, and answers to
/// one prompt differ in it from the start.
RewardUse even_ids() {
  return {.canonical = R"([{"type":"even_ids"}])", .make = [](const TextRules&) {
            std::vector<Mixture::Part> parts;
            const auto share = [](const Completion& c) {
              const auto even = std::count_if(c.ids->begin(), c.ids->end(),
                                              [](std::int64_t id) { return id % 2 == 0; });
              return static_cast<double>(even) / static_cast<double>(c.ids->size());
            };
            parts.push_back({std::make_unique<FunctionReward>("even_ids", share), 1});
            return Mixture(std::move(parts));
          }};
}

/// Another model of the base's vocabulary: what a short SFT made of it.
fs::path teacher_of(const Folder& folder) {
  auto spec = tiny_spec(folder, false);
  const auto plain = spec;
  spec = TrainSpec("sft");
  spec.base = plain.base;
  spec.data = plain.data;
  spec.plan = plain.plan;
  spec.out = folder.path / "teacher";
  spec.checkpoint_every_steps = 0;
  spec.settings.set("learning_rate", 3e-3);
  spec.settings.set("batch_size", 10);
  spec.settings.set("max_steps", 6);
  Listener listener;
  run_training(spec, listener);
  return spec.out / "hf";
}

/// A run of four steps on the tiny model.
TrainSpec spec_of(const std::string& method, const Folder& folder, bool lora = false) {
  auto spec = tiny_spec(folder, lora);
  const auto plain = spec;
  spec = TrainSpec(method, plain.lora);
  spec.base = plain.base;
  spec.data = plain.data;
  spec.out = plain.out;
  spec.plan = plain.plan;
  spec.checkpoint_every_steps = 1;
  spec.checkpoint_every_s = 0;
  spec.settings.set("learning_rate", 1e-3);
  spec.settings.set("batch_size", 4);
  spec.settings.set("max_steps", 4);
  spec.settings.set("max_tokens", 256);
  spec.settings.set("micro_batch_tokens", 128);
  if (spec.method->family == Family::Policy) {
    spec.reward = even_ids();
    spec.settings.set("batch_size", 2);
    spec.settings.set("group_size", 3);
    spec.settings.set("max_new_tokens", 8);
    spec.settings.set("rollout_epochs", 2);
    spec.settings.set("minibatches", 2);  // a checkpoint falls inside a rollout
    if (spec.settings.has("value_learning_rate")) spec.settings.set("value_learning_rate", 1e-3);
  }
  if (spec.method->family == Family::Distillation) spec.teacher = teacher_of(folder);
  return spec;
}

/// Weights as published, whatever folder they are in.
std::string published(const TrainSpec& spec) {
  const char* folder = spec.method->family == Family::Reward ? "reward" : "hf";
  return bytes_of(spec.out / folder / "model.safetensors");
}

class EveryMethod : public ::testing::TestWithParam<std::string> {};

TEST_P(EveryMethod, ResumedAtEveryStepEqualsTheUninterruptedRunBitForBit) {
  Folder folder;
  Listener listener;
  const auto whole = spec_of(GetParam(), folder);
  ASSERT_TRUE(run_training(whole, listener).finished);
  ASSERT_GT(published(whole).size(), 1000U);
  for (std::int64_t step = 1; step < 4; ++step) {
    auto spec = whole;
    spec.out = folder.path / ("out" + std::to_string(step));
    Listener first, second;
    first.stop_after = step;
    ASSERT_FALSE(run_training(spec, first).finished);
    spec.resume_from = first.checkpoints.back();
    ASSERT_TRUE(run_training(spec, second).finished);
    EXPECT_TRUE(published(spec) == published(whole)) << "stopped after step " << step;
    EXPECT_EQ(metric_lines(spec.out), metric_lines(whole.out));
  }
}

TEST_P(EveryMethod, ResumedInBf16EqualsTheUninterruptedRunBitForBit) {
  Folder folder;
  Listener listener, first, second;
  auto whole = spec_of(GetParam(), folder);
  whole.settings.set("dtype", "bfloat16");
  whole.bf16_ratio = 2;  // not measured: two runs are compared
  ASSERT_TRUE(run_training(whole, listener).finished);
  auto spec = whole;
  spec.out = folder.path / "resumed";
  first.stop_after = 3;  // inside an online method's rollout
  ASSERT_FALSE(run_training(spec, first).finished);
  spec.resume_from = first.checkpoints.back();
  ASSERT_TRUE(run_training(spec, second).finished);
  EXPECT_TRUE(published(spec) == published(whole));
  EXPECT_EQ(metric_lines(spec.out), metric_lines(whole.out));
}

TEST_P(EveryMethod, AnySplitIntoMicroBatchesGivesOneGradient) {
  std::vector<double> norms;
  for (const std::int64_t tokens : {1, 96, 4096}) {
    Folder folder;
    Listener listener;
    auto spec = spec_of(GetParam(), folder);
    spec.settings.set("micro_batch_tokens", tokens);
    spec.settings.set("max_steps", 1);
    run_training(spec, listener);
    norms.push_back(value(listener.steps.front(), "opt/grad_norm"));
  }
  EXPECT_NEAR(norms[1], norms[0], 2e-5 * norms[0]);
  EXPECT_NEAR(norms[2], norms[0], 2e-5 * norms[0]);
}

TEST_P(EveryMethod, TrainsAnAdapterAlone) {
  Folder folder;
  Listener listener;
  const auto spec = spec_of(GetParam(), folder, true);
  ASSERT_TRUE(run_training(spec, listener).finished);
  const SafetensorsFile file(spec.out / "checkpoints/step-000004/model.safetensors");
  for (const auto& info : file.tensors())
    if (info.name.starts_with("m.") && !info.name.starts_with("m.value.")) {
      EXPECT_TRUE(info.name.find("lora") != std::string::npos || info.name == "m.score" ||
                  info.name == "m.link.cuts")
          << info.name;
    }
}

std::vector<std::string> all_names() {
  std::vector<std::string> names;
  for (const auto& method : feedback::methods()) names.push_back(method.name);
  return names;
}
INSTANTIATE_TEST_SUITE_P(Methods, EveryMethod, ::testing::ValuesIn(all_names()),
                         [](const auto& given) {
                           auto name = given.param;
                           std::replace(name.begin(), name.end(), '.', '_');
                           return name;
                         });

TEST(Preference, StartsWithRewardsOfZeroUnderEveryReference) {
  for (const auto& method : feedback::methods()) {
    if (method.family != Family::Preference || !feedback::has_reference(method)) continue;
    Folder folder;
    Listener listener;
    auto spec = spec_of(method.name, folder);
    spec.settings.set("max_steps", 1);
    run_training(spec, listener);
    EXPECT_NEAR(value(listener.steps.front(), "pref/reward/chosen"), 0, 1e-5) << method.name;
    EXPECT_NEAR(value(listener.steps.front(), "pref/margin"), 0, 1e-5) << method.name;
  }
}

TEST(Reward, LearnsOneBatchByHeartAndIsReadBackWithOneOutput) {
  Folder folder;
  Listener listener;
  auto spec = spec_of("rm.sigmoid", folder);
  spec.settings.set("batch_size", 20);
  spec.settings.set("max_steps", 30);
  spec.settings.set("learning_rate", 5e-3);
  spec.settings.set("schedule", "constant");
  const auto outcome = run_training(spec, listener);
  EXPECT_EQ(value(listener.steps.back(), "rm/accuracy"), 1);
  EXPECT_LT(value(listener.steps.back(), "loss"), 0.2);
  ASSERT_TRUE(outcome.evaluation.held_out);
  EXPECT_EQ(outcome.evaluation.held_out->accuracy, 1);
  EXPECT_GT(value(outcome.evaluation.held_out->values, "rm/temperature"), 0);
  const auto model = open_base(spec.out / "reward", Output::Score);
  // Of this tokenizer no token is to spare: readers then take one text at a time, at its last
  // token.
  EXPECT_FALSE(model.config.pad_token_id);
  std::ifstream in(spec.out / "hone/manifest.json");
  const auto manifest = nlohmann::json::parse(in);
  EXPECT_LT(manifest.at("reward_check").at("max_abs_score"), 1e-5);
  EXPECT_GT(manifest.at("reward_check").at("texts"), 1);
}

TEST(Demonstration, LearnsItsAnswersByHeart) {
  Folder folder;
  Listener listener;
  auto spec = spec_of("sft", folder);
  spec.settings.set("batch_size", 20);
  spec.settings.set("max_steps", 30);
  spec.settings.set("learning_rate", 5e-3);
  spec.settings.set("schedule", "constant");
  run_training(spec, listener);
  EXPECT_LT(value(listener.steps.back(), "sft/nll"),
            0.3 * value(listener.steps.front(), "sft/nll"));
  EXPECT_GT(value(listener.steps.back(), "sft/token_accuracy"),
            value(listener.steps.front(), "sft/token_accuracy") + 0.3);
}

TEST(Distillation, ComesNearTheTeacherAndIsThereWhenItBegins) {
  for (const char* method : {"distill.forward", "distill.reverse", "distill.jsd"}) {
    Folder folder;
    Listener listener, same;
    auto spec = spec_of(method, folder);
    spec.settings.set("batch_size", 20);
    spec.settings.set("max_steps", 30);
    spec.settings.set("learning_rate", 3e-3);
    spec.settings.set("schedule", "constant");
    run_training(spec, listener);
    const double first = value(listener.steps.front(), "distill/divergence");
    EXPECT_GT(first, 1e-4) << method;
    EXPECT_LT(value(listener.steps.back(), "distill/divergence"), 0.3 * first) << method;
    spec.base = *spec.teacher;
    spec.out = folder.path / "same";
    spec.settings.set("max_steps", 1);
    run_training(spec, same);
    EXPECT_NEAR(value(same.steps.front(), "distill/divergence"), 0, 1e-6) << method;
    EXPECT_NEAR(value(same.steps.front(), "opt/grad_norm"), 0, 1e-5) << method;
  }
}

/// The policy learns to answer with what pays.
void expect_to_learn(const std::string& method) {
  Folder folder;
  Listener listener;
  auto spec = spec_of(method, folder);
  spec.settings.set("batch_size", 8);
  spec.settings.set("group_size", spec.settings.word("advantage").starts_with("group") ? 4 : 2);
  spec.settings.set("rollout_epochs", 1);
  spec.settings.set("minibatches", 1);
  spec.settings.set("max_new_tokens", 12);
  spec.settings.set("temperature", 1.0);
  spec.settings.set("kl_coefficient", 0.0);
  spec.settings.set("kl_budget", 0);
  spec.settings.set("learning_rate", 4e-3);
  spec.settings.set("max_steps", 120);
  spec.guards_stop = false;
  spec.evaluate_held_out = false;
  run_training(spec, listener);
  const auto mean = [&](std::size_t from) {
    double sum = 0;
    for (std::size_t i = from; i < from + 10; ++i)
      sum += value(listener.steps[i], "rl/score/mean") / 10;
    return sum;
  };
  EXPECT_GT(mean(110), mean(0) + 0.2) << method;  // of 8 seeds, the least gained 0.27
}
TEST(Policy, GrpoLearnsWhatPays) { expect_to_learn("grpo_token"); }
TEST(Policy, PpoLearnsWhatPays) { expect_to_learn("ppo"); }

TEST(Policy, TheFirstPassIsOnPolicyToTheBit) {
  for (const char* method : {"ppo", "grpo_token", "gspo", "rloo"})
    for (const std::int64_t minibatches : {1, 2})  // and two epochs: `old` has a pass of its own
      for (const char* dtype : {"float32", "bfloat16"}) {
        SCOPED_TRACE(std::string(method) + ", " + std::to_string(minibatches) + ", " + dtype);
        Folder folder;
        Listener listener;
        auto spec = spec_of(method, folder);
        spec.settings.set("minibatches", minibatches);
        spec.settings.set("dtype", dtype);
        spec.settings.set("micro_batch_tokens", 64);  // several passes a step
        run_training(spec, listener);
        EXPECT_EQ(value(listener.steps[0], "rl/ratio/first_dev"), 0);
        EXPECT_GT(value(listener.steps[1], "rl/ratio/max"), 1);
        if (std::string_view(dtype) == "bfloat16") continue;  // which rounds as it is packed
        EXPECT_LT(value(listener.steps[0], "rl/sampler_gap/max"), 1e-4);
        EXPECT_NEAR(value(listener.steps[0], "rl/kl/seq"), 0, 1e-4);
      }
}

TEST(Policy, InitialisationOrderAndDrawingHaveSeedsThatChangeAlone) {
  Folder folder;
  int runs = 0;
  const auto lines = [&](std::uint64_t seed, std::optional<std::uint64_t> init,
                         std::optional<std::uint64_t> order, std::optional<std::uint64_t> sample) {
    Listener listener;
    auto spec = spec_of("grpo_token", folder, true);
    spec.seed = seed;
    spec.init_seed = init;
    spec.order_seed = order;
    spec.sample_seed = sample;
    spec.out = folder.path / std::to_string(runs++);
    run_training(spec, listener);
    return metric_lines(spec.out);
  };
  const auto one = lines(1, {}, {}, {});
  EXPECT_EQ(lines(9, 1, 1, 1), one);  // nothing that trains takes the run's seed but these three
  const auto init = lines(1, 2, {}, {}), order = lines(1, {}, 2, {}), sample = lines(1, {}, {}, 2);
  // An adapter that begins anew says at first what the base says: the same answers are drawn.
  EXPECT_EQ(init[0].at("rl/score/mean"), one[0].at("rl/score/mean"));
  EXPECT_NE(init[0].at("opt/grad_norm"), one[0].at("opt/grad_norm"));
  EXPECT_NE(order[0], one[0]);
  EXPECT_NE(sample[0], one[0]);
  EXPECT_EQ(lines(9, 1, 2, 1), order);
  EXPECT_EQ(lines(9, 1, 1, 2), sample);
}

TEST(Policy, AnAnswerMustLeaveRoomForItsPrompt) {
  Folder folder;
  Listener listener;
  auto spec = spec_of("grpo_token", folder);
  spec.settings.set("max_new_tokens", 256);  // all that prompt and answer may have together
  try {
    run_training(spec, listener);
    FAIL() << "accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.pointer(), "hyperparameters.max_new_tokens");
  }
}

TEST(Policy, ARateOfNothingLeavesRatioAndWeightsAlone) {
  Folder folder;
  Listener listener;
  auto spec = spec_of("grpo_token", folder);
  spec.settings.set("learning_rate", 1e-12);
  run_training(spec, listener);
  for (const auto& step : listener.steps) EXPECT_NEAR(value(step, "rl/ratio/max"), 1, 1e-5);
}

}  // namespace
}  // namespace hone::rl
