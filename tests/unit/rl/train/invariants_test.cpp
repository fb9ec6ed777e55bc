// What must hold of any trainer, each named for the bug that it keeps out. The others of the list
// stand where their subject is: a step does not depend on its cut, resume, learning by heart,
// on-policy ratios and rates of nothing (methods_test.cpp), packing and shared prompts
// (model/packing_test.cpp), ids and end tokens (data/pair_labels_test.cpp), mirrored metrics
// (run_test.cpp).
#include <algorithm>
#include <cmath>
#include <random>

#include "rl/data/pairs.h"
#include "rl/formats/base.h"
#include "rl/model/scalar_head.h"
#include "rl/model/score.h"
#include "rl/random/philox.h"
#include "tests/unit/rl/train/support.h"

namespace hone::rl {
namespace {

using namespace testing;

std::vector<Group> groups_of_pairs(const fs::path& file, const Base& base) {
  std::vector<Group> groups;
  for (const auto& pair : read_pairs(file, text_rules(base), 256).train)
    groups.push_back({pair.prompt, {pair.chosen, pair.rejected}});
  return groups;
}

/// Padding and neighbours moved scores elsewhere (reward-bench 137, trl 937).
TEST(Invariant, AScoreDoesNotKnowItsNeighbours) {
  Folder folder;
  const auto base = open_base(tiny_spec(folder, false).base);
  auto model = load_model(base.config, *base.weights);
  make_score_model(model, Random(3, Stream::Init));
  auto groups = groups_of_pairs(folder.path / "pairs.jsonl", base);
  ASSERT_GT(groups.size(), 10U);
  std::vector<double> alone;
  for (const auto& group : groups)
    for (const auto& response : group.responses) {
      const std::vector<Group> one = {{group.prompt, {response}}};
      const auto packed = pack_whole(one);
      alone.push_back(scalars_at(model, packed, packed.last).item<double>());
    }
  const auto packed = pack_whole(groups);
  const auto together = scalars_at(model, packed, packed.last);
  std::reverse(groups.begin(), groups.end());
  const auto turned = pack_whole(groups);
  const auto backwards = scalars_at(model, turned, turned.last);
  const auto n = static_cast<std::int64_t>(alone.size());
  for (std::int64_t i = 0; i < n; ++i) {
    const auto at = static_cast<std::size_t>(i);
    EXPECT_NEAR(together[i].item<double>(), alone[at], 1e-5);
    // The pair's place from the other end, its sides in their own order.
    EXPECT_NEAR(backwards[n - 2 - (i / 2) * 2 + i % 2].item<double>(), alone[at], 1e-5);
  }
}

/// A leak of the label into the input would rank held-out pairs that nobody can rank (trlx 338).
TEST(Invariant, LabelsDrawnByLotTeachNothingThatHolds) {
  for (const char* method : {"dpo.sigmoid.sum", "rm.sigmoid"}) {
    Folder folder;
    const auto plain = tiny_spec(folder, false);
    std::ofstream out(folder.path / "lots.jsonl");
    std::mt19937_64 dice(5);
    for (int i = 0; i < 400; ++i) {
      const auto answer = [&] {
        return nlohmann::json::array(
            {{{"role", "assistant"}, {"content", "Answer " + std::to_string(dice() % 100000)}}});
      };
      out << nlohmann::json{{"prompt",
                             {{{"role", "user"}, {"content", std::to_string(dice() % 999)}}}},
                            {"chosen", answer()},
                            {"rejected", answer()},
                            {"split", i % 2 ? "held_out" : "train"}}
                 .dump()
          << '\n';
    }
    out.close();
    TrainSpec spec(method);
    spec.base = plain.base;
    spec.plan = plain.plan;
    spec.data = folder.path / "lots.jsonl";
    spec.out = folder.path / "lots";
    spec.guards_stop = false;
    spec.settings.set("learning_rate", 2e-3);
    spec.settings.set("batch_size", 20);
    spec.settings.set("epochs", 3);
    Listener listener;
    const auto outcome = run_training(spec, listener);
    ASSERT_TRUE(outcome.evaluation.held_out && outcome.evaluation.held_out->accuracy);
    const double error = std::sqrt(0.25 / 200);
    EXPECT_NEAR(*outcome.evaluation.held_out->accuracy, 0.5, 3 * error) << method;
  }
}

/// A rule that holds is learnt through labels that are often wrong: held-out accuracy comes to one
/// less the rate, and not below it (trl 1500 trained against the wrong reference).
TEST(Invariant, ARuleIsLearntThroughWrongLabels) {
  constexpr double kWrong = 0.2;
  Folder folder;
  const auto plain = tiny_spec(folder, false);
  std::ofstream out(folder.path / "noisy.jsonl");
  std::mt19937_64 dice(7);
  const auto share = [&] { return static_cast<double>(dice() % 1000000) / 1e6; };
  for (int i = 0; i < 1200; ++i) {
    const auto say = [&](const char* word) {
      return nlohmann::json::array(
          {{{"role", "assistant"}, {"content", word + std::to_string(dice() % 100)}}});
    };
    auto good = say("yes "), bad = say("no ");
    if (share() < kWrong) std::swap(good, bad);
    out << nlohmann::json{{"prompt",
                           {{{"role", "user"}, {"content", std::to_string(dice() % 9999)}}}},
                          {"chosen", good},
                          {"rejected", bad},
                          {"split", i % 3 == 2 ? "held_out" : "train"}}
               .dump()
        << '\n';
  }
  out.close();
  TrainSpec spec("dpo.flip.sum");
  spec.base = plain.base;
  spec.plan = plain.plan;
  spec.data = folder.path / "noisy.jsonl";
  spec.out = folder.path / "noisy";
  spec.settings.set("flip_rate", kWrong);
  spec.settings.set("learning_rate", 1e-3);
  spec.settings.set("batch_size", 32);
  spec.settings.set("epochs", 2);
  spec.settings.set("micro_batch_tokens", 2048);
  Listener listener;
  const auto outcome = run_training(spec, listener);
  const double error = std::sqrt(kWrong * (1 - kWrong) / 400);
  EXPECT_NEAR(*outcome.evaluation.held_out->accuracy, 1 - kWrong, 3 * error);
}

}  // namespace
}  // namespace hone::rl
