// Each guard on metrics that only it is there for, and on their healthy neighbours.
#include "rl/train/guards.h"

#include <gmock/gmock.h>

#include "rl/train/failure.h"
#include "tests/unit/rl/train/support.h"

namespace hone::rl {
namespace {

using namespace testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Steps = std::vector<Values>;

/// Codes of what trips, each once, when no guard stops the run.
std::vector<std::string> tripped(TrainSpec spec, const Steps& steps) {
  spec.guards_stop = false;
  Guards guards(spec);
  std::vector<std::string> codes;
  Listener listener;
  std::int64_t step = 0;
  for (const auto& values : steps) {
    const auto told = listener.messages.size();
    try {
      guards.see(++step, values, listener);
    } catch (const RunFailure& e) {
      EXPECT_EQ(e.blame, "bug");
      EXPECT_EQ(e.step, step);
      codes.push_back(e.code);
    }
    if (listener.messages.size() > told) {
      EXPECT_EQ(listener.messages.size(), told + 1);
      for (const auto& found : guards.findings())
        if (found.detail == listener.messages.back()) {
          EXPECT_EQ(found.blame, "user");
          codes.push_back(found.code);
        }
    }
  }
  return codes;
}

Values pair_step(double margin, double chosen, double rate = 1e-6) {
  return {{"opt/lr", rate},
          {"pref/margin", margin},
          {"pref/reward/chosen", chosen},
          {"pref/reward/rejected", chosen - margin}};
}

TEST(ReferenceGuard, TripsWhenTheFirstRewardsAreNotZero) {
  const TrainSpec dpo;
  EXPECT_THAT(tripped(dpo, {pair_step(1e-4, 1e-4)}), IsEmpty());
  EXPECT_THAT(tripped(dpo, {pair_step(0.01, 0)}), ElementsAre("reference"));
  // Both sides off by the same: the loss is ln 2 and the reference is wrong all the same.
  EXPECT_THAT(tripped(dpo, {pair_step(0, 0.5)}), ElementsAre("reference"));
  EXPECT_THAT(tripped(dpo, {pair_step(0, 0), pair_step(0.5, 0.2)}), IsEmpty());
  EXPECT_THAT(tripped(TrainSpec("kto"), {{{"pref/reward/chosen", 0.5}}}), ElementsAre("reference"));
  EXPECT_THAT(tripped(TrainSpec("simpo"), {pair_step(3, 3)}), IsEmpty());  // has none
  TrainSpec rounded;
  rounded.settings.set("dtype", "bfloat16");
  EXPECT_THAT(tripped(rounded, {pair_step(0.01, 0)}), IsEmpty());
  EXPECT_THAT(tripped(rounded, {pair_step(0.1, 0)}), ElementsAre("reference"));
}

TEST(ReferenceGuard, TripsWhenThePolicyStaysWhereItWas) {
  const TrainSpec dpo;
  EXPECT_THAT(tripped(dpo, Steps(12, pair_step(1e-7, 1e-7))), ElementsAre("reference"));
  EXPECT_THAT(tripped(dpo, Steps(10, pair_step(1e-7, 1e-7))), IsEmpty());
  EXPECT_THAT(tripped(dpo, Steps(30, pair_step(1e-7, 1e-7, 0))), IsEmpty());  // nothing was asked
  EXPECT_THAT(tripped(dpo, Steps(30, pair_step(0, 1e-4))), IsEmpty());        // both sides move
}

TEST(SamplerGuard, TripsWhenSamplerAndTrainerDisagree) {
  const TrainSpec grpo("grpo_token");
  TrainSpec rounded("grpo_token");
  rounded.settings.set("dtype", "bfloat16");
  const Values wide = {{"rl/sampler_gap/p99", 0.02}}, wider = {{"rl/sampler_gap/p99", 0.2}};
  EXPECT_THAT(tripped(grpo, {{{"rl/sampler_gap/p99", 0.001}}}), IsEmpty());
  EXPECT_THAT(tripped(grpo, {wide}), ElementsAre("sampler_gap"));
  EXPECT_THAT(tripped(rounded, {wide}), IsEmpty());
  EXPECT_THAT(tripped(rounded, {wider}), ElementsAre("sampler_gap"));
  TrainSpec corrected = rounded;
  corrected.settings.set("sampler_correction", std::string("token_truncate"));
  EXPECT_THAT(tripped(corrected, {wider}), IsEmpty());
  EXPECT_THAT(tripped(grpo, {{{"rl/ratio/first_dev", 1e-4}}}), IsEmpty());
  EXPECT_THAT(tripped(grpo, {{{"rl/ratio/first_dev", 2e-3}}}), ElementsAre("first_ratio"));
  EXPECT_THAT(tripped(rounded, {{{"rl/ratio/first_dev", 2e-3}}}), IsEmpty());
}

TEST(SamplerGuard, StopsWithTheSentenceAndItsBlame) {
  const TrainSpec spec("ppo");
  Guards guards(spec);
  Listener listener;
  try {
    guards.see(3, {{"rl/sampler_gap/p99", 0.5}}, listener);
    FAIL() << "went on";
  } catch (const RunFailure& e) {
    EXPECT_EQ(e.blame, "bug");
    EXPECT_EQ(e.step, 3);
    EXPECT_THAT(e.what(), HasSubstr("the sampler and the trainer disagree about the same tokens"));
  }
}

Values kl_step(double kl) { return {{"rl/kl/seq", kl}}; }

TEST(KlGuards, TripBeyondTheBudgetAndBeyondTenTimesTheTarget) {
  TrainSpec spec("ppo");
  EXPECT_THAT(tripped(spec, {kl_step(99)}), IsEmpty());
  EXPECT_THAT(tripped(spec, {kl_step(101)}), ElementsAre("kl_budget"));
  spec.settings.set("kl_budget", 0);
  EXPECT_THAT(tripped(spec, {kl_step(1e6)}), IsEmpty());
  spec.settings.set("kl_target", 6);
  EXPECT_THAT(tripped(spec, {kl_step(59)}), IsEmpty());
  EXPECT_THAT(tripped(spec, {kl_step(61)}), ElementsAre("kl_budget"));
}

/// `value` at the first step of each rollout; three more steps use it up.
Steps rollouts(std::size_t count, const std::string& name, double value) {
  Steps out;
  for (std::size_t i = 0; i < count; ++i) {
    out.push_back({{name, value}});
    for (int more = 0; more < 3; ++more) out.push_back({{"loss", 1}});
  }
  return out;
}

TEST(KlGuards, TripWhenTheKlIsNegativeRolloutAfterRollout) {
  const TrainSpec spec("ppo");
  EXPECT_THAT(tripped(spec, Steps(4, kl_step(-2))), IsEmpty());
  EXPECT_THAT(tripped(spec, Steps(5, kl_step(-0.5))), IsEmpty());
  EXPECT_THAT(tripped(spec, Steps(5, kl_step(-2))), ElementsAre("negative_kl"));
  EXPECT_THAT(tripped(spec, rollouts(4, "rl/kl/seq", -2)), IsEmpty());
  EXPECT_THAT(tripped(spec, rollouts(5, "rl/kl/seq", -2)), ElementsAre("negative_kl"));
}

TEST(EntropyGuard, TripsWhenItStaysBelowATenthOfTheStart) {
  const TrainSpec spec("grpo_token");
  const auto entropy = [](double v) { return Values{{"rl/entropy", v}}; };
  EXPECT_THAT(tripped(spec, {entropy(2), entropy(0.1), entropy(0.1)}), IsEmpty());
  EXPECT_THAT(tripped(spec, {entropy(2), entropy(0.1), entropy(0.3), entropy(0.1)}), IsEmpty());
  EXPECT_THAT(tripped(spec, {entropy(2), entropy(0.1), entropy(0.1), entropy(0.1)}),
              ElementsAre("entropy_collapse"));
}

TEST(LengthGuard, TripsWhenAnswersGrowAndTheGoldRewardDoesNot) {
  const TrainSpec spec("grpo_token");
  const auto with = [](double length, double gold) {
    return Values{{"rl/length/mean", length}, {"rl/gold", gold}};
  };
  EXPECT_THAT(tripped(spec, {with(50, 1), with(101, 1)}), ElementsAre("length_drift"));
  EXPECT_THAT(tripped(spec, {with(50, 1), with(101, 0.5)}), ElementsAre("length_drift"));
  EXPECT_THAT(tripped(spec, {with(50, 1), with(101, 1.2)}), IsEmpty());
  EXPECT_THAT(tripped(spec, {with(50, 1), with(99, 0.5)}), IsEmpty());
  // Nobody measured, or only once: nobody knows.
  const Values longer = {{"rl/length/mean", 500}};
  EXPECT_THAT(tripped(spec, {{{"rl/length/mean", 50}}, longer}), IsEmpty());
  EXPECT_THAT(tripped(spec, {with(50, 1), longer}), IsEmpty());
}

TEST(NoEndGuard, TripsWhenAnswersAreCutOffMoreThanAtTheStart) {
  const TrainSpec spec("grpo_token");
  const auto steps = [](double start, double share, std::size_t count) {
    auto out = rollouts(count, "rl/no_end", share);
    out.insert(out.begin(), {{"rl/no_end", start}});
    return out;
  };
  EXPECT_THAT(tripped(spec, steps(0.1, 0.6, 2)), IsEmpty());
  EXPECT_THAT(tripped(spec, steps(0.1, 0.6, 3)), ElementsAre("no_end"));
  EXPECT_THAT(tripped(spec, steps(0.1, 0.5, 3)), IsEmpty());
  EXPECT_THAT(tripped(spec, steps(0.4, 0.7, 3)), IsEmpty());  // it was so before training
}

TEST(FlatRewardGuard, TripsAfterTenRolloutsWithoutASignal) {
  const TrainSpec spec("grpo_token");
  EXPECT_THAT(tripped(spec, rollouts(9, "rl/group/zero_std", 1)), IsEmpty());
  EXPECT_THAT(tripped(spec, rollouts(10, "rl/group/zero_std", 0.9)), IsEmpty());
  EXPECT_THAT(tripped(spec, rollouts(10, "rl/group/zero_std", 0.95)), ElementsAre("flat_reward"));
  EXPECT_THAT(tripped(spec, Steps(10, {{"rl/group/zero_std", 1}})), ElementsAre("flat_reward"));
}

TEST(Guards, OneThatWasToldHidesNoOther) {
  const TrainSpec spec("grpo_token");
  auto steps = Steps(10, {{"rl/group/zero_std", 1}});
  steps.push_back({{"rl/group/zero_std", 1}, {"rl/kl/seq", 200}});
  steps.push_back(steps.back());
  EXPECT_THAT(tripped(spec, steps), ElementsAre("flat_reward", "kl_budget"));
}

/// "code" of the stop, "warned", or "".
std::string held_out(const char* method, double accuracy, std::int64_t rows, bool stop = true) {
  TrainSpec spec(method);
  spec.guards_stop = stop;
  HeldOut measured{.rows = rows};
  measured.accuracy = accuracy;
  measured.interval = wilson(accuracy * static_cast<double>(rows), static_cast<double>(rows));
  Listener listener;
  try {
    Guards(spec).see_held_out(7, measured, listener);
  } catch (const RunFailure& e) {
    EXPECT_EQ(e.step, 7);
    EXPECT_EQ(e.param, "data");
    return e.code;
  }
  return listener.messages.empty() ? "" : "warned";
}

TEST(HeldOutGuard, TripsWhenOneHalfIsInTheInterval) {
  EXPECT_EQ(held_out("rm.sigmoid", 0.52, 200), "accuracy_at_half");
  EXPECT_EQ(held_out("rm.sigmoid", 0.52, 200, false), "warned");
  EXPECT_EQ(held_out("rm.sigmoid", 0.7, 200), "");
  EXPECT_EQ(held_out("rm.sigmoid", 0.3, 200), "");  // worse than chance is not chance
  EXPECT_EQ(held_out("rm.sigmoid", 0.52, 50), "");  // says nothing
  EXPECT_EQ(held_out("dpo.sigmoid.sum", 0.52, 200), "warned");
  EXPECT_EQ(held_out("rm.sigmoid", 1, 200), "warned");
  EXPECT_EQ(held_out("rm.sigmoid", 0, 200), "warned");
}

TEST(Guards, RecalledFromMetricsSeeWhatTheUninterruptedRunSaw) {
  Folder folder;
  const TrainSpec spec("grpo_token");
  auto steps = rollouts(10, "rl/group/zero_std", 1);
  steps.front().emplace_back("rl/entropy", 2.0);
  steps.front().emplace_back("rl/length/mean", 50);
  steps.front().emplace_back("rl/gold", 1);
  steps.back() = {{"rl/entropy", 0.1}, {"rl/length/mean", 200}, {"rl/gold", 0.5}};
  for (auto i = steps.size() - 3; i < steps.size(); ++i)
    if (i + 1 < steps.size()) steps[i].emplace_back("rl/entropy", 0.1);
  for (std::size_t cut = 0; cut <= steps.size(); ++cut) {
    {
      std::ofstream out(folder.path / "metrics.jsonl");
      for (std::size_t i = 0; i < cut; ++i) {
        nlohmann::ordered_json line = {{"step", i + 1}};
        for (const auto& [name, value] : steps[i]) line[name] = value;
        out << line.dump() << '\n';
      }
    }
    auto warning = spec;
    warning.guards_stop = false;
    Guards whole(warning), resumed(warning);
    Listener listener;
    for (std::size_t i = 0; i < cut; ++i)
      whole.see(static_cast<std::int64_t>(i) + 1, steps[i], listener);
    resumed.recall(folder.path / "metrics.jsonl");
    for (auto i = cut; i < steps.size(); ++i) {
      whole.see(static_cast<std::int64_t>(i) + 1, steps[i], listener);
      resumed.see(static_cast<std::int64_t>(i) + 1, steps[i], listener);
    }
    if (steps.empty()) continue;
    std::vector<std::string> a, b;
    for (const auto& found : whole.findings()) a.push_back(found.code + found.detail);
    for (const auto& found : resumed.findings()) b.push_back(found.code + found.detail);
    EXPECT_EQ(a, b) << cut;
    EXPECT_EQ(a.size(), 3U) << cut;
  }
}

TEST(Guards, StopARealRunWhoseReferenceWouldBeTheLiveModel) {
  // A rate that moves no f32 weight: the policy stays the reference, and the run says so.
  Folder folder;
  Listener listener;
  auto spec = tiny_spec(folder, false);
  spec.settings.set("learning_rate", 1e-12);
  spec.settings.set("max_steps", 30);
  try {
    run_training(spec, listener);
    FAIL() << "went on";
  } catch (const RunFailure& e) {
    EXPECT_EQ(e.code, "reference");
    EXPECT_EQ(e.blame, "user");
    EXPECT_GT(e.step, 10);
  }
}

}  // namespace
}  // namespace hone::rl
