// KTO: answers that were called good or bad one by one.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "rl/data/batches.h"
#include "rl/data/unpaired.h"
#include "rl/loss/kto.h"
#include "rl/train/objective.h"

namespace hone::rl {

class UnpairedObjective : public Objective {
 public:
  UnpairedObjective(const TrainSpec& spec, const Base& base);

  const DataFacts& facts() const override { return facts_; }
  std::vector<ShownText> show(std::int64_t row) const override;
  bool prepare(Model& model, const SafetensorsFile* checkpoint, Observer& observer) override;
  std::int64_t total_steps() const override;
  std::optional<StepPlan> begin(Model& model, std::int64_t step, Observer& observer) override;
  std::int64_t accumulate(Model& model, const std::vector<std::int64_t>& rows) override;
  StepResult finish() override;
  NamedTensors state() const override;
  std::optional<HeldOut> held_out(Model& model, Observer& observer) override;

 private:
  /// Sums of log pi over the answers of some groups of one answer each; undefined: told to stop.
  at::Tensor sums_of(const Model& model, const std::vector<Group>& groups, const char* stage,
                     Observer& observer) const;
  at::Tensor loss_of(const at::Tensor& h, const at::Tensor& desirable) const;

  const TrainSpec& spec_;
  UnpairedData data_;
  DataFacts facts_;
  StepRows order_;
  KtoOptions options_;
  bool anchored_;  ///< kto.apo_zero: no z0
  /// Log-probabilities under the reference: of every answer [rows], of held-out ones, and of every
  /// step's mismatched pairs, step by step [steps * batch].
  at::Tensor reference_, held_out_reference_, mismatched_reference_;
  std::vector<std::int64_t> mismatched_from_;  ///< where a step's begin
  // of the step in work
  double weight_ = 0, z0_ = 0, loss_ = 0;
  double reward_[2] = {0, 0}, logp_[2] = {0, 0};  ///< of bad and good answers
  std::int64_t count_[2] = {0, 0}, tokens_ = 0;
};

}  // namespace hone::rl
