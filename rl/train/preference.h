// Preference optimization: DPO and its relatives on pairs, with a reference computed once or none.
#pragma once

#include <optional>
#include <string>

#include "rl/data/batches.h"
#include "rl/data/pairs.h"
#include "rl/loss/preference.h"
#include "rl/train/metrics.h"
#include "rl/train/objective.h"
#include "rl/train/reference.h"

namespace hone::rl {

class PreferenceObjective : public Objective {
 public:
  PreferenceObjective(const TrainSpec& spec, const Base& base);

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
  /// Loss of some pairs, given the policy's and the reference's sums [B,2].
  PreferenceLoss loss_of(const std::vector<Pair>& pairs, const std::vector<std::int64_t>& rows,
                         const at::Tensor& sums, const ReferenceLogps& reference,
                         const PairLabels& labels) const;

  const TrainSpec& spec_;
  std::string base_sha256_;
  PairData data_;
  DataFacts facts_;
  StepRows order_;
  PreferenceOptions options_;
  double nll_coefficient_;
  ReferenceLogps reference_, held_out_reference_;  ///< undefined for a method without
  // of the step in work
  double weight_ = 0;
  std::int64_t chosen_tokens_ = 0;
  PairMetrics metrics_;
};

}  // namespace hone::rl
