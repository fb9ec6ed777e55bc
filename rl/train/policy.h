// Policy gradient: PPO and the group methods. A rollout (answers drawn, scored, compared) feeds a
// number of optimizer steps; a method is a choice on each of five axes (feedback/training).
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "rl/data/batches.h"
#include "rl/data/conversation.h"
#include "rl/data/prompts.h"
#include "rl/loss/aggregate.h"
#include "rl/loss/policy_gradient.h"
#include "rl/loss/sampler_correction.h"
#include "rl/reward/mixture.h"
#include "rl/train/objective.h"
#include "rl/train/policy_metrics.h"
#include "rl/train/rollout.h"
#include "rl/train/value_network.h"

namespace hone::rl {

class PolicyObjective : public Objective {
 public:
  PolicyObjective(const TrainSpec& spec, const Base& base);

  const DataFacts& facts() const override { return facts_; }
  std::vector<ShownText> show(std::int64_t row) const override;
  std::int64_t other_bytes(const ModelConfig& config) const override;
  bool prepare(Model& model, const SafetensorsFile* checkpoint, Observer& observer) override;
  std::int64_t total_steps() const override;
  std::optional<StepPlan> begin(Model& model, std::int64_t step, Observer& observer) override;
  std::int64_t accumulate(Model& model, const std::vector<std::int64_t>& answers) override;
  StepResult finish() override;
  void stepped(Model& model, double share) override;
  NamedTensors state() const override;
  std::optional<HeldOut> held_out(Model& model, Observer& observer) override;

 private:
  /// Answers of one model to some prompts, `each` of them so many times; empty when told to stop.
  std::optional<Rollout> draw(const Model& model, const std::vector<PromptRow>& prompts,
                              const std::vector<std::int64_t>& rows, std::int64_t each,
                              std::uint64_t seed, std::uint64_t first_sample, const char* stage,
                              Observer& observer) const;
  std::vector<Completion> completions_of(const Rollout& rollout,
                                         const std::vector<PromptRow>& prompts,
                                         std::vector<Ids>& ids) const;
  using Passes = std::vector<std::vector<std::int64_t>>;  // the answers that are packed together
  /// Log-probabilities [N] without gradient: of the policy, or of the reference.
  std::vector<float> logprobs(const Model& model, const Rollout& rollout,
                              const std::vector<PromptRow>& prompts, const Passes& passes) const;
  std::vector<float> reference_logprobs(Model& model, const Rollout& rollout,
                                        const std::vector<PromptRow>& prompts,
                                        const Passes& passes);
  Passes first_passes(std::int64_t number) const;

  bool make_rollout(Model& model, std::int64_t number, Observer& observer);
  void score(Rollout& rollout, Values& values);
  bool measure_gold(Model& model, Observer& observer, Values& values);
  std::vector<std::int64_t> minibatch(std::int64_t step) const;
  std::int64_t steps_a_rollout() const { return rollout_epochs_ * minibatches_; }

  const TrainSpec& spec_;
  const Base& base_;
  TextRules rules_;
  PromptData data_;
  DataFacts facts_;
  StepRows order_;  ///< of prompts, a rollout's at a time
  PolicyOptions options_;
  SamplerCorrection correction_;
  Aggregation aggregation_;
  std::int64_t group_size_, rollout_epochs_, minibatches_, max_new_tokens_;
  double temperature_;
  bool wants_reference_;
  std::optional<Mixture> reward_, gold_;
  std::optional<Model> reference_;  ///< a frozen copy; with an adapter it is the model itself
  std::optional<ValueNetwork> value_;
  double kl_coefficient_;

  Rollout rollout_;
  std::int64_t within_ = 0;  ///< steps taken of the rollout; 0: it is spent
  // of the step in work
  Values rollout_values_;  ///< told once, with the rollout's first step
  StepTotals totals_;
  bool first_pass_ = false;
  PolicyMetrics metrics_;
};

}  // namespace hone::rl
