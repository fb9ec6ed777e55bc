#include "rl/train/checkpoint.h"

#include <ATen/ops/full.h>

#include <cstdint>
#include <set>

#include "feedback/base/error.h"
#include "tests/unit/rl/train/support.h"

namespace hone::rl {
namespace {

using namespace testing;

CheckpointState state_at(std::int64_t step) {
  CheckpointState s;
  s.step = step;
  s.optimizer_steps = step;
  s.identity = {R"({"method":"dpo.sigmoid.sum","hyperparameters":{"learning_rate":0.001}})", "d1",
                "b1"};
  s.plan = {true, 64, 2};
  s.revision = "r";
  return s;
}

fs::path save_at(const Folder& folder, std::int64_t step) {
  return save_checkpoint(folder.path / "checkpoints", state_at(step),
                         {{"w", at::full({3}, static_cast<float>(step), at::kFloat)}},
                         folder.path / "metrics.jsonl");
}

TEST(Checkpoint, ComesBackAsItWasSaved) {
  Folder folder;
  std::ofstream(folder.path / "metrics.jsonl") << "{\"step\":1}\n";
  const auto path = save_at(folder, 10);
  EXPECT_EQ(path.filename(), "step-000010");
  const auto opened = open_checkpoint(path);
  EXPECT_EQ(opened.state.step, 10);
  EXPECT_EQ(opened.state.plan, (MatmulPlan{true, 64, 2}));
  EXPECT_EQ(opened.state.identity.mathematics, state_at(10).identity.mathematics);
  EXPECT_EQ(SafetensorsFile(path / "model.safetensors").read("w")[0].item<float>(), 10);
  EXPECT_EQ(bytes_of(path / "metrics.jsonl"), "{\"step\":1}\n");
}

TEST(Checkpoint, OnlyTheTwoNewestStayAndNoTemporaryFolder) {
  Folder folder;
  for (const std::int64_t step : {2, 4, 10}) save_at(folder, step);
  std::set<std::string> left;
  for (const auto& entry : fs::directory_iterator(folder.path / "checkpoints"))
    left.insert(entry.path().filename());
  EXPECT_EQ(left, (std::set<std::string>{"step-000004", "step-000010"}));
}

TEST(Checkpoint, EveryDamagedOrMissingFileIsNoticed) {
  for (const char* file : {"model.safetensors", "metrics.jsonl", "state.json", "manifest.json"}) {
    Folder folder;
    std::ofstream(folder.path / "metrics.jsonl") << "{\"step\":1}\n";
    const auto path = save_at(folder, 10);
    auto bytes = bytes_of(path / file);
    bytes[bytes.size() / 2] ^= 1;
    std::ofstream(path / file, std::ios::binary) << bytes;
    EXPECT_THROW(open_checkpoint(path), Error) << file;
    fs::remove(path / file);
    EXPECT_THROW(open_checkpoint(path), Error) << file;
  }
}

TEST(Checkpoint, OfAnotherRunIsToldApartByField) {
  const auto field = [](const std::function<void(RunIdentity&)>& change) -> std::string {
    auto other = state_at(1).identity;
    change(other);
    try {
      check_same_run(state_at(1).identity, other);
    } catch (const Error& e) {
      return e.pointer();
    }
    return "same";
  };
  EXPECT_EQ(field([](RunIdentity&) {}), "same");
  EXPECT_EQ(field([](RunIdentity& i) {
              i.mathematics =
                  R"({"method":"dpo.sigmoid.sum","hyperparameters":{"learning_rate":0.002}})";
            }),
            "hyperparameters.learning_rate");
  EXPECT_EQ(field([](RunIdentity& i) { i.data_sha256 = "d2"; }), "data");
  EXPECT_EQ(field([](RunIdentity& i) { i.base_sha256 = "b2"; }), "base");
}

}  // namespace
}  // namespace hone::rl
