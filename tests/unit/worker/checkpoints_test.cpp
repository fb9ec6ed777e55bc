#include "services/worker/checkpoints.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>

#include "services/worker/folder.h"
#include "storage/artifacts/sha256.h"

namespace hone::worker {
namespace {

namespace fs = std::filesystem;

class Checkpoints : public ::testing::Test {
 protected:
  void SetUp() override {
    job = fs::temp_directory_path() / ("hone-checkpoints-" + std::to_string(getpid()));
    fs::create_directories(job);
  }
  void TearDown() override { fs::remove_all(job); }

  // A whole checkpoint, as the row that adopts it.
  storage::Checkpoint make(std::int64_t epoch, std::int64_t step) {
    const auto path = attempt_name(epoch) + "/" + kCheckpoints + "/step-" + std::to_string(step);
    const auto folder = job / path;
    fs::create_directories(folder);
    const std::string weights = "weights of step " + std::to_string(step), state = "{}";
    write_text(folder / "model.safetensors", weights);
    write_text(folder / "state.json", state);
    nlohmann::json manifest;
    manifest["files"]["model.safetensors"] = {{"bytes", weights.size()},
                                              {"sha256", storage::sha256_hex(weights)}};
    manifest["files"]["state.json"] = {{"bytes", state.size()},
                                       {"sha256", storage::sha256_hex(state)}};
    write_text(folder / "manifest.json", manifest.dump());
    return {step, epoch, path, storage::sha256_hex(manifest.dump()), 0};
  }

  fs::path job;
};

TEST_F(Checkpoints, AreWholeWhenEveryFileHasItsHash) {
  const auto one = make(1, 10);
  const auto whole = verify_checkpoint(job / one.path);
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->manifest_sha256, one.manifest_sha256);
}

TEST_F(Checkpoints, AreNotWholeWithAFlippedByteAMissingFileOrNoManifest) {
  const auto flipped = make(1, 10), missing = make(1, 20), bare = make(1, 30);
  write_text(job / flipped.path / "model.safetensors", "weights of step 1O");
  fs::remove(job / missing.path / "state.json");
  fs::remove(job / bare.path / "manifest.json");
  for (const auto& one : {flipped, missing, bare})
    EXPECT_FALSE(verify_checkpoint(job / one.path)) << one.step;
}

TEST_F(Checkpoints, MayNotNameFilesOutsideTheirFolder) {
  const auto one = make(1, 10);
  write_text(job / "elsewhere", "x");
  nlohmann::json manifest;
  manifest["files"]["../../../../elsewhere"] = {{"bytes", 1}, {"sha256", storage::sha256_hex("x")}};
  write_text(job / one.path / "manifest.json", manifest.dump());
  EXPECT_FALSE(verify_checkpoint(job / one.path));
}

TEST_F(Checkpoints, GoOnFromTheOneBeforeWhenTheNewestIsTorn) {
  const auto older = make(1, 10), newest = make(2, 20);
  EXPECT_EQ(take_first_whole(job, {newest, older}, job / "e3/resume")->checkpoint.step, 20);
  write_text(job / newest.path / "model.safetensors", "torn");
  EXPECT_EQ(take_first_whole(job, {newest, older}, job / "e3/resume")->checkpoint.step, 10);
  fs::remove_all(job / older.path);
  EXPECT_FALSE(take_first_whole(job, {newest, older}, job / "e3/resume"));
}

TEST_F(Checkpoints, GoOnOnlyFromWhatWasAdopted) {
  // Whole, but of an old owner that wrote there after its lease was over.
  auto one = make(1, 10);
  one.manifest_sha256 = std::string(64, '0');
  EXPECT_FALSE(take_first_whole(job, {one}, job / "e2/resume"));
}

TEST_F(Checkpoints, AreOurOwnOnceTakenWhateverTheirWriterPrunes) {
  const auto one = make(1, 10);
  const auto taken = take_first_whole(job, {one}, job / "e2/resume");
  fs::remove_all(job / one.path);
  ASSERT_TRUE(taken);
  EXPECT_TRUE(verify_checkpoint(taken->folder));
}

TEST_F(Checkpoints, OfEarlierAttemptsGoWhenNewerOnesAreKept) {
  const auto old = make(1, 10), kept = make(1, 20), current = make(2, 30), running = make(2, 40);
  prune_earlier_attempts(job, 2, {current, kept});
  EXPECT_FALSE(fs::exists(job / old.path));
  EXPECT_TRUE(fs::exists(job / kept.path));
  EXPECT_TRUE(fs::exists(job / running.path));  // not adopted yet, but the running attempt's own
}

/// What a seed that came to its end leaves in an attempt's folder.
void end_seed(const fs::path& attempt, std::int64_t seed, const std::string& weights) {
  const auto out = attempt / "out" / ("seed-" + std::to_string(seed));
  for (const char* name : {"hf", "hone", "checkpoints/step-000004"})
    fs::create_directories(out / name);
  write_text(out / "hf/model.safetensors", weights);
  write_text(out / "checkpoints/step-000004/state.json", "{}");
  nlohmann::json manifest;
  manifest["files"]["hf/model.safetensors"] = {{"bytes", weights.size()},
                                               {"sha256", storage::sha256_hex(weights)}};
  write_text(out / "hone/manifest.json", manifest.dump());
}

TEST_F(Checkpoints, OfEverySeedGoWhenNewerOnesAreKept) {
  end_seed(job / "e1", 1, "a");
  end_seed(job / "e1", 2, "b");
  end_seed(job / "e2", 2, "b");
  storage::Checkpoint kept;
  kept.path = "e1/out/seed-2/checkpoints/step-000004";
  prune_earlier_attempts(job, 2, {kept});
  EXPECT_FALSE(fs::exists(job / "e1/out/seed-1/checkpoints/step-000004"));
  EXPECT_TRUE(fs::exists(job / kept.path));
  EXPECT_TRUE(fs::exists(job / "e2/out/seed-2/checkpoints/step-000004"));
  EXPECT_TRUE(fs::exists(job / "e1/out/seed-1/hf/model.safetensors"));
}

TEST_F(Checkpoints, SeedsThatEndedAreTakenFromTheNewestAttemptThatHasThemWhole) {
  end_seed(job / "e1", 1, "weights");
  end_seed(job / "e3", 1, "weights");
  write_text(job / "e3/out/seed-1/hf/model.safetensors", "torn");
  EXPECT_TRUE(take_ended_seed(job, 4, 1));
  const auto taken = job / "e4/out/seed-1";
  EXPECT_EQ(read_text(taken / "hf/model.safetensors"), "weights");
  EXPECT_FALSE(fs::exists(taken / "checkpoints"));

  EXPECT_FALSE(take_ended_seed(job, 4, 5));  // never begun
  fs::create_directories(job / "e3/out/seed-2");
  write_text(job / "e3/out/seed-2/metrics.jsonl", "{}");
  EXPECT_FALSE(take_ended_seed(job, 4, 2));  // begun, not ended
  EXPECT_FALSE(fs::exists(job / "e4/out/seed-2"));
  write_text(job / "e3/out/seed-2/failure.json", "{}");
  EXPECT_TRUE(take_ended_seed(job, 4, 2));  // a failure is an end
  fs::remove_all(job / "e1");
  fs::remove_all(job / "e4");
  EXPECT_FALSE(take_ended_seed(job, 4, 1));  // only the torn one is left
}

TEST(Folder, SweepsAllButLogsSpecsAndWhatWasPublished) {
  const auto job = fs::temp_directory_path() / ("hone-sweep-" + std::to_string(getpid()));
  fs::create_directories(job / "e1/out/checkpoints");
  fs::create_directories(job / "published/hf");
  for (const char* name :
       {"e1/spec.json", "e1/run.log", "e1/rows.jsonl", "published/hf/config.json"})
    write_text(job / name, "x");
  EXPECT_FALSE(is_swept(job));
  sweep_job(job);
  EXPECT_TRUE(is_swept(job));
  EXPECT_TRUE(fs::exists(job / "e1/spec.json"));
  EXPECT_TRUE(fs::exists(job / "e1/run.log"));
  EXPECT_TRUE(fs::exists(job / "published/hf/config.json"));
  EXPECT_FALSE(fs::exists(job / "e1/rows.jsonl"));
  EXPECT_FALSE(fs::exists(job / "e1/out"));
  fs::remove_all(job);
}

TEST(Folder, TakesOnlyPathsThatStayBelow) {
  EXPECT_EQ(below("hf/config.json"), fs::path("hf/config.json"));
  for (const char* path : {"", "/etc/passwd", "../x", "a/../../x", "a/"})
    EXPECT_THROW(below(path), std::exception) << path;
}

}  // namespace
}  // namespace hone::worker
