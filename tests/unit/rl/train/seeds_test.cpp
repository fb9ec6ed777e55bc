// Several seeds as one job: each as if it ran alone, together with mean and interval.
#include "rl/train/seeds.h"

#include <gmock/gmock.h>

#include "feedback/base/error.h"
#include "rl/train/failure.h"
#include "tests/unit/rl/train/support.h"

namespace hone::rl {
namespace {

using namespace testing;
using ::testing::HasSubstr;

nlohmann::json json_of(const fs::path& file) { return nlohmann::json::parse(bytes_of(file)); }

TrainSpec job_of(const Folder& folder) {
  auto spec = tiny_spec(folder, true);
  spec.settings.set("max_steps", 4);
  spec.seeds = {1, 5, 2};
  return spec;
}

/// Also hears what steps checkpoints and progress are told under.
struct Numbers : Listener {
  std::vector<std::int64_t> at;
  std::int64_t highest = 0, total = 0;
  std::vector<Values> evaluations;
  void checkpoint(std::int64_t step, const fs::path& path) override {
    at.push_back(step);
    Listener::checkpoint(step, path);
  }
  void progress(std::string_view stage, std::int64_t done, std::int64_t of, double) override {
    if (stage != "train") return;
    highest = done;
    total = of;
  }
  void evaluation(const Values& values) override { evaluations.push_back(values); }
};

TEST(SeedsJob, RunsEachAsIfAloneAndTellsThemTogether) {
  Folder folder, alone_folder;
  const auto job = job_of(folder);
  Numbers told;
  const auto outcome = run_seeds(job, told);
  EXPECT_TRUE(outcome.finished);
  EXPECT_EQ(outcome.published, 1U);
  EXPECT_EQ(outcome.steps, 12);
  EXPECT_EQ(told.at, (std::vector<std::int64_t>{2, 4, 6, 8, 10, 12}));
  EXPECT_EQ(told.highest, 12);
  EXPECT_EQ(told.total, 12);
  EXPECT_EQ(told.evaluations.size(), 1U);
  for (const auto& path : told.checkpoints)
    EXPECT_THAT(path.lexically_relative(job.out).generic_string(), ::testing::StartsWith("seed-"));

  auto alone = tiny_spec(alone_folder, true);
  alone.settings.set("max_steps", 4);
  alone.seed = 5;
  Listener listener;
  run_training(alone, listener);
  const auto adapter = "adapter/adapter_model.safetensors";
  EXPECT_TRUE(bytes_of(alone.out / adapter) == bytes_of(job.out / "seed-5" / adapter));
  EXPECT_TRUE(bytes_of(job.out / adapter) == bytes_of(job.out / "seed-1" / adapter));

  const auto seeds = json_of(job.out / "hone/seeds.json");
  ASSERT_EQ(seeds.at("seeds").size(), 3U);
  double mean = 0;
  for (const auto& seed : seeds.at("seeds"))
    mean += seed.at("evaluation").at("eval/held_out/loss").get<double>() / 3;
  const auto& loss = seeds.at("evaluation").at("eval/held_out/loss");
  EXPECT_NEAR(loss.at("mean"), mean, 1e-12);
  EXPECT_LT(loss.at("low"), mean);
  EXPECT_GT(loss.at("high"), mean);
  EXPECT_EQ(loss.at("n"), 3);
  const auto card = bytes_of(job.out / "hf/README.md");
  EXPECT_THAT(card, HasSubstr("seed 1 (1 of 3 seeds"));
  EXPECT_THAT(card, HasSubstr("## Seeds"));
  EXPECT_THAT(card, HasSubstr("| seed 1 | seed 5 | seed 2 | mean | 95 % interval |"));
  EXPECT_THAT(bytes_of(job.out / "seed-1/hf/README.md"), ::testing::Not(HasSubstr("## Seeds")));
  const auto manifest = json_of(job.out / "hone/manifest.json");
  EXPECT_EQ(manifest.at("seeds").at("finished"), 3);
  EXPECT_EQ(manifest.at("cost").at("steps"), 12);
  EXPECT_EQ(manifest.at("cost").at("tokens"), outcome.tokens);
  EXPECT_TRUE(manifest.at("files").contains("hone/seeds.json"));
  EXPECT_TRUE(manifest.at("files").contains("hf/model.safetensors"));
}

TEST(SeedsJob, ResumedSkipsWhatIsDoneAndEndsAsTheUninterruptedOne) {
  Folder whole_folder;
  const auto whole = job_of(whole_folder);
  Listener listener;
  run_seeds(whole, listener);
  for (const std::int64_t stop : {2, 4, 5, 7}) {
    Folder folder;
    auto job = job_of(folder);
    Listener first, second;
    first.stop_after = stop;
    EXPECT_FALSE(run_seeds(job, first).finished);
    ASSERT_FALSE(first.checkpoints.empty());
    job.resume_from = first.checkpoints.back();
    ASSERT_TRUE(run_seeds(job, second).finished);
    EXPECT_EQ(second.steps.size(), static_cast<std::size_t>(12 - stop)) << stop;
    for (const char* seed : {"seed-1", "seed-5", "seed-2"}) {
      const auto file = fs::path(seed) / "adapter/adapter_model.safetensors";
      EXPECT_TRUE(bytes_of(job.out / file) == bytes_of(whole.out / file)) << seed << stop;
      EXPECT_EQ(metric_lines(job.out / seed), metric_lines(whole.out / seed));
    }
    EXPECT_EQ(json_of(job.out / "hone/seeds.json").at("evaluation"),
              json_of(whole.out / "hone/seeds.json").at("evaluation"));
  }
}

TEST(SeedsJob, ACheckpointElsewhereGoesOnWithItsSeedAndTheOthersRunAnew) {
  Folder folder, other;
  auto job = job_of(folder);
  Listener first, second;
  first.stop_after = 7;
  EXPECT_FALSE(run_seeds(job, first).finished);
  // What a worker's next attempt has: the checkpoint alone, in a folder of its own.
  const auto moved = other.path / first.checkpoints.back().filename();
  fs::copy(first.checkpoints.back(), moved, fs::copy_options::recursive);
  job.resume_from = moved;
  job.out = other.path / "out";
  ASSERT_TRUE(run_seeds(job, second).finished);
  EXPECT_EQ(second.steps.size(), 9U);  // 4 of the first, 1 of the second, 4 of the third
  job.seeds = {1, 2};
  try {
    run_seeds(job, second);
    FAIL() << "took a checkpoint of another job";
  } catch (const Error& e) {
    EXPECT_EQ(e.pointer(), "seeds");
  }
}

TEST(SeedsJob, AFailedSeedStaysInWithItsReason) {
  Folder folder;
  auto job = job_of(folder);
  // A failure that an earlier attempt met, of this very run.
  Listener listener;
  run_seeds(job, listener);
  const auto manifest = json_of(job.out / "seed-1/hone/manifest.json");
  fs::remove_all(job.out / "seed-1/hone");
  std::ofstream(job.out / "seed-1/failure.json")
      << nlohmann::ordered_json{{"seed", 1},
                                {"ok", false},
                                {"code", "diverged"},
                                {"detail", "the loss is not finite"},
                                {"step", 3},
                                {"cost", {{"steps", 3}, {"tokens", 100}, {"train_s", 1.5}}},
                                {"metrics", nlohmann::json::object()},
                                {"data", manifest.at("data")},
                                {"spec", nlohmann::ordered_json::parse(mathematics_json(job))}};
  job.resume_from = job.out / "seed-5/checkpoints/step-000004";
  Listener second;
  const auto outcome = run_seeds(job, second);
  EXPECT_TRUE(outcome.finished);
  EXPECT_EQ(outcome.failed, 1);
  EXPECT_EQ(outcome.published, 5U);
  EXPECT_EQ(outcome.steps, 3 + 4 + 4);
  EXPECT_TRUE(second.steps.empty());
  const auto seeds = json_of(job.out / "hone/seeds.json");
  EXPECT_EQ(seeds.at("seeds").at(0).at("code"), "diverged");
  EXPECT_EQ(seeds.at("evaluation").at("eval/held_out/loss").at("n"), 2);
  const auto card = bytes_of(job.out / "hf/README.md");
  EXPECT_THAT(card, HasSubstr("Seed 1 failed at step 3 (diverged)"));
  EXPECT_THAT(card, HasSubstr("2 of 3 seeds came to their end; published is seed 5"));
}

TEST(SeedsJob, ThrowsTheFirstFailureWhenAllFail) {
  Folder folder;
  auto job = job_of(folder);
  job.lora.reset();
  job.settings.set("learning_rate", 1e-12);
  job.settings.set("max_steps", 30);
  job.seeds = {1, 2};
  Listener listener;
  try {
    run_seeds(job, listener);
    FAIL() << "went on";
  } catch (const RunFailure& e) {
    EXPECT_EQ(e.code, "reference");
  }
  const auto failure = json_of(job.out / "seed-1/failure.json");
  EXPECT_EQ(failure.at("cost").at("steps"),
            static_cast<std::int64_t>(metric_lines(job.out / "seed-1").size()));
  EXPECT_GT(failure.at("cost").at("tokens"), 0);
  EXPECT_TRUE(fs::exists(job.out / "seed-2/failure.json"));
}

}  // namespace
}  // namespace hone::rl
