// A run that was stopped, or found its newest checkpoint damaged, ends as the one that was not.
#include <cstdint>

#include "feedback/base/error.h"
#include "tests/unit/rl/train/support.h"

namespace hone::rl {
namespace {

using namespace testing;

class Resume : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(FullAndLora, Resume, ::testing::Bool(),
                         [](const auto& which) { return which.param ? "Lora" : "Full"; });

void expect_same_end(const TrainSpec& a, const TrainSpec& b) {
  for (const char* file : {"checkpoints/step-000008/model.safetensors", "hf/model.safetensors"})
    EXPECT_TRUE(bytes_of(a.out / file) == bytes_of(b.out / file)) << file;
  EXPECT_TRUE(metric_lines(a.out) == metric_lines(b.out));
  EXPECT_EQ(metric_lines(a.out).size(), 8u);
}

TEST_P(Resume, AtEveryStepEqualsTheUninterruptedRunBitForBit) {
  Folder whole_folder;
  const auto whole = tiny_spec(whole_folder, GetParam());
  Listener listener;
  ASSERT_TRUE(run_training(whole, listener).finished);
  for (const std::int64_t stop : {1, 2, 5, 7}) {
    Folder folder;
    auto spec = tiny_spec(folder, GetParam());
    Listener first, second;
    first.stop_after = stop;
    EXPECT_FALSE(run_training(spec, first).finished);
    ASSERT_FALSE(first.checkpoints.empty());
    spec.resume_from = first.checkpoints.back();
    ASSERT_TRUE(run_training(spec, second).finished);
    EXPECT_EQ(second.steps.size(), static_cast<std::size_t>(8 - stop));
    expect_same_end(whole, spec);
  }
}

TEST_P(Resume, InBf16EqualsTheUninterruptedRunBitForBitToo) {
  Folder whole_folder, folder;
  auto whole = tiny_spec(whole_folder, GetParam());
  whole.settings.set("dtype", "bfloat16");
  Listener listener, first, second;
  ASSERT_TRUE(run_training(whole, listener).finished);
  auto spec = tiny_spec(folder, GetParam());
  spec.settings.set("dtype", "bfloat16");
  first.stop_after = 3;
  EXPECT_FALSE(run_training(spec, first).finished);
  spec.resume_from = first.checkpoints.back();
  ASSERT_TRUE(run_training(spec, second).finished);
  expect_same_end(whole, spec);
}

TEST_P(Resume, OfDtypeAutoGoesOnWithWhatTheFirstAttemptMeasured) {
  for (const double faster : {1.3, 1.2}) {
    Folder whole_folder, folder;
    auto whole = tiny_spec(whole_folder, GetParam());
    whole.settings.set("dtype", faster > 1.25 ? "bfloat16" : "float32");
    Listener listener, first, second;
    ASSERT_TRUE(run_training(whole, listener).finished);
    auto spec = tiny_spec(folder, GetParam());
    spec.settings.set("dtype", "auto");
    spec.bf16_ratio = faster;
    first.stop_after = 3;
    EXPECT_FALSE(run_training(spec, first).finished);
    spec.resume_from = first.checkpoints.back();
    spec.bf16_ratio = 2.5 - faster;  // a later attempt would have measured otherwise
    ASSERT_TRUE(run_training(spec, second).finished);
    expect_same_end(whole, spec);
    const auto manifest = nlohmann::json::parse(bytes_of(spec.out / "hone/manifest.json"));
    EXPECT_EQ(manifest.at("spec").at("hyperparameters").at("dtype"), whole.settings.word("dtype"));
    EXPECT_EQ(manifest.at("code").at("dtype"), whole.settings.word("dtype"));
    EXPECT_EQ(manifest.at("code").at("bf16_ratio"), faster);
  }
}

TEST_P(Resume, FromADamagedCheckpointGoesBackToTheOneBefore) {
  Folder whole_folder, folder;
  const auto whole = tiny_spec(whole_folder, GetParam());
  Listener listener, first, second;
  run_training(whole, listener);
  auto spec = tiny_spec(folder, GetParam());
  first.stop_after = 5;
  run_training(spec, first);
  const auto newest = first.checkpoints.back();
  std::fstream file(newest / "model.safetensors", std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(-3, std::ios::end);
  file.put('\x55');
  file.close();
  spec.resume_from = newest;
  ASSERT_TRUE(run_training(spec, second).finished);
  ASSERT_FALSE(second.messages.empty());
  EXPECT_NE(second.messages[0].find("damaged"), std::string::npos) << second.messages[0];
  EXPECT_EQ(second.steps.size(), 4u);  // from step 4
  expect_same_end(whole, spec);
}

TEST(ResumeOfAnotherRun, IsRefusedNamingTheField) {
  Folder folder;
  auto spec = tiny_spec(folder, true);
  Listener first;
  first.stop_after = 3;
  run_training(spec, first);
  const auto refused = [&](const std::function<void(TrainSpec&)>& change) -> std::string {
    auto other = spec;
    other.resume_from = first.checkpoints.back();
    change(other);
    Listener listener;
    try {
      run_training(other, listener);
    } catch (const Error& e) {
      return e.pointer();
    }
    return "accepted";
  };
  EXPECT_EQ(refused([](TrainSpec& s) { s.settings.set("learning_rate", 2e-3); }),
            "hyperparameters.learning_rate");
  EXPECT_EQ(refused([](TrainSpec& s) { s.lora->rank = 8; }), "adapter.rank");
  EXPECT_EQ(refused([](TrainSpec& s) { s.lora.reset(); }), "adapter");
  EXPECT_EQ(refused([](TrainSpec& s) { s.seed = 2; }), "seed");
  EXPECT_EQ(refused([](TrainSpec& s) { s.teacher_sha256 = "another's"; }), "teacher_sha256");
  EXPECT_EQ(refused([&](TrainSpec& s) { s.data = write_pairs(folder.path / "other.jsonl", 30); }),
            "data");
  EXPECT_EQ(refused([&](TrainSpec& s) { s.resume_from = folder.path / "nowhere/step-000099"; }),
            "resume_from");
}

TEST(Seeds, TheSameTwiceGivesTheSameBitsAndAnotherGivesOthers) {
  Folder a, b, c;
  Listener listener;
  const auto one = tiny_spec(a, true);
  auto other = tiny_spec(c, true);
  other.seed = 2;
  run_training(one, listener);
  const auto two = tiny_spec(b, true);
  run_training(two, listener);
  run_training(other, listener);
  const auto adapter = "adapter/adapter_model.safetensors";
  EXPECT_TRUE(bytes_of(one.out / adapter) == bytes_of(two.out / adapter));
  EXPECT_FALSE(bytes_of(one.out / adapter) == bytes_of(other.out / adapter));
}

}  // namespace
}  // namespace hone::rl
