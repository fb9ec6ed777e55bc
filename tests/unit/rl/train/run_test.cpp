// What a whole run does and leaves behind.
#include <ATen/ops/equal.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "feedback/base/error.h"
#include "rl/formats/base.h"
#include "rl/formats/files.h"
#include "rl/formats/safetensors.h"
#include "tests/unit/rl/train/support.h"

namespace hone::rl {
namespace {

using namespace testing;

TEST(Run, StartsAtLogTwoWithRewardsOfZero) {
  for (const bool lora : {false, true}) {
    Folder folder;
    Listener listener;
    run_training(tiny_spec(folder, lora), listener);
    const auto& first = listener.steps.front();
    EXPECT_NEAR(value(first, "loss"), std::log(2.0), 1e-6);
    EXPECT_NEAR(value(first, "pref/reward/chosen"), 0, 1e-5);
    EXPECT_EQ(value(first, "opt/lr"), 0);  // warm-up begins at nothing
  }
}

TEST(Run, LearnsOneBatchByHeart) {
  for (const bool lora : {false, true}) {
    Folder folder;
    auto spec = tiny_spec(folder, lora);
    spec.settings.set("batch_size", 20);  // all rows, every step
    spec.settings.set("max_steps", 30);
    spec.settings.set("learning_rate", lora ? 2e-2 : 5e-3);
    spec.settings.set("schedule", "constant");
    spec.settings.set("warmup_ratio", 0);
    Listener listener;
    const auto outcome = run_training(spec, listener);
    EXPECT_LT(value(listener.steps.back(), "loss"), 0.3);
    EXPECT_EQ(value(listener.steps.back(), "pref/accuracy"), 1);
    // The rule (short is better) holds for the pairs it never saw.
    ASSERT_TRUE(outcome.evaluation.held_out);
    EXPECT_EQ(outcome.evaluation.held_out->rows, 4);
    EXPECT_EQ(outcome.evaluation.held_out->accuracy, 1);
  }
}

TEST(Run, AnySplitIntoMicroBatchesGivesOneGradient) {
  for (const bool lora : {false, true}) {
    std::vector<double> norms, losses;
    for (const std::int64_t tokens : {1, 100, 4096}) {
      Folder folder;
      auto spec = tiny_spec(folder, lora);
      spec.settings.set("micro_batch_tokens", tokens);
      spec.settings.set("max_steps", 3);
      Listener listener;
      run_training(spec, listener);
      norms.push_back(value(listener.steps.back(), "opt/grad_norm"));
      losses.push_back(value(listener.steps.back(), "loss"));
    }
    for (const std::size_t i : {1, 2}) {
      EXPECT_NEAR(norms[i] / norms[0], 1, 1e-4);
      EXPECT_NEAR(losses[i], losses[0], 1e-5);
    }
  }
}

TEST(Run, BlocksComputedAgainChangeNoBit) {
  for (const bool lora : {false, true}) {
    Folder plain, again;
    auto spec = tiny_spec(plain, lora);
    Listener listener;
    run_training(spec, listener);
    const auto wanted = read_file(spec.out / "hf" / "model.safetensors", 1 << 24);
    spec = tiny_spec(again, lora);
    spec.settings.set("activation_checkpointing", true);
    run_training(spec, listener);
    EXPECT_EQ(read_file(spec.out / "hf" / "model.safetensors", 1 << 24), wanted);
  }
}

TEST(Run, InBf16LearnsTheSameAndKeepsF32Masters) {
  for (const bool lora : {false, true}) {
    Folder exact, rounded;
    Listener one, two;
    auto spec = tiny_spec(exact, lora);
    const auto full = run_training(spec, one);
    spec = tiny_spec(rounded, lora);
    spec.settings.set("dtype", "bfloat16");
    const auto half = run_training(spec, two);
    ASSERT_EQ(one.steps.size(), two.steps.size());
    EXPECT_NEAR(value(two.steps.front(), "loss"), std::log(2.0), 1e-6);
    EXPECT_NEAR(value(two.steps.back(), "loss"), value(one.steps.back(), "loss"), 0.03);
    EXPECT_EQ(half.evaluation.held_out->accuracy, full.evaluation.held_out->accuracy);
    // A master in f32 moves by steps that bf16 could not hold.
    const SafetensorsFile file(spec.out / "hf" / "model.safetensors");
    const auto weight = file.read_f32("model.layers.0.mlp.down_proj.weight");
    EXPECT_FALSE(at::equal(weight, weight.to(at::kBFloat16).to(at::kFloat)));
  }
}

TEST(Run, SwappedSidesMirrorTheMetrics) {
  Folder a, b;
  const auto straight = tiny_spec(a, false);
  auto swapped = tiny_spec(b, false);
  swapped.data = write_pairs(b.path / "swapped.jsonl", 24, true);
  Listener one, two;
  run_training(straight, one);
  run_training(swapped, two);
  // Step 0 changes nothing yet; its gradient is the same but for the sign, so its norm is the same.
  EXPECT_NEAR(value(one.steps[0], "opt/grad_norm"), value(two.steps[0], "opt/grad_norm"),
              1e-4 * value(one.steps[0], "opt/grad_norm"));
  EXPECT_NEAR(value(one.steps[0], "pref/logp/chosen"), value(two.steps[0], "pref/logp/rejected"),
              1e-3);
  EXPECT_NEAR(value(one.steps[0], "pref/logp/rejected"), value(two.steps[0], "pref/logp/chosen"),
              1e-3);
}

TEST(Run, LeavesAModelThatOpensAndAManifestOfEveryFile) {
  Folder folder;
  const auto spec = tiny_spec(folder, true);
  Listener listener;
  run_training(spec, listener);
  EXPECT_NO_THROW(open_base(spec.out / "hf"));
  const auto manifest = nlohmann::json::parse(bytes_of(spec.out / "hone/manifest.json"));
  EXPECT_TRUE(manifest.at("files").contains("hf/model.safetensors"));
  EXPECT_TRUE(manifest.at("files").contains("adapter/adapter_model.safetensors"));
  EXPECT_LT(manifest.at("merge").at("max_abs_logit"), 1e-4);
  EXPECT_GT(manifest.at("merge").at("tokens"), 20);
  EXPECT_TRUE(manifest.at("files").contains("hone/evaluation.json"));
  EXPECT_EQ(manifest.at("spec").at("method"), "dpo.sigmoid.sum");
  EXPECT_EQ(manifest.at("evaluation").at("eval/held_out/pairs"), 4);
  // Two checkpoints are kept, the last step's among them.
  std::vector<std::string> kept;
  for (const auto& entry : fs::directory_iterator(spec.out / "checkpoints"))
    kept.push_back(entry.path().filename());
  std::sort(kept.begin(), kept.end());
  EXPECT_EQ(kept, (std::vector<std::string>{"step-000006", "step-000008"}));
}

TEST(Run, RefusesImpossibleSpecsByField) {
  const auto refused = [](const std::function<void(TrainSpec&)>& change) -> std::string {
    Folder folder;
    auto spec = tiny_spec(folder, true);
    try {
      change(spec);
      check_spec(spec);
    } catch (const Error& e) {
      return e.pointer();
    }
    return "accepted";
  };
  EXPECT_EQ(refused([](TrainSpec&) {}), "accepted");
  EXPECT_EQ(refused([](TrainSpec& s) { s = TrainSpec("ipo"); }), "method");
  EXPECT_EQ(refused([](TrainSpec& s) { s.settings.set("learning_rate", 0); }),
            "hyperparameters.learning_rate");
  EXPECT_EQ(refused([](TrainSpec& s) { s.settings.set("learning_rate", NAN); }),
            "hyperparameters.learning_rate");
  EXPECT_EQ(refused([](TrainSpec& s) { s.settings.set("beta", 0); }), "hyperparameters.beta");
  EXPECT_EQ(refused([](TrainSpec& s) { s.settings.set("adam_beta1", 1); }),
            "hyperparameters.adam_beta1");
  EXPECT_EQ(refused([](TrainSpec& s) { s.lora->targets.clear(); }), "adapter.targets");
  EXPECT_EQ(refused([](TrainSpec& s) { s.settings.set("batch_size", 0); }),
            "hyperparameters.batch_size");
}

}  // namespace
}  // namespace hone::rl
