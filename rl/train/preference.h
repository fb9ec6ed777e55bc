// Preference optimization: DPO and its relatives on pairs, with a reference computed once or none.
#pragma once

#include <optional>
#include <string>

#include "rl/data/batches.h"
#include "rl/data/pairs.h"
#include "rl/train/metrics.h"
#include "rl/train/objective.h"
#include "rl/train/reference.h"

namespace hone::rl {

class PreferenceObjective : public Objective {
 public:
  PreferenceObjective(const TrainSpec& spec, const Base& base);

  const DataFacts& facts() const override { return facts_; }
  bool prepare(Model& model, const SafetensorsFile* checkpoint, Observer& observer) override;
  std::int64_t total_steps() const override;
  std::optional<StepPlan> begin(Model& model, std::int64_t step, Observer& observer) override;
  std::int64_t accumulate(Model& model, const std::vector<std::int64_t>& rows) override;
  StepResult finish() override;
  NamedTensors state() const override;
  std::optional<HeldOut> held_out(Model& model, Observer& observer) override;

 private:
  const TrainSpec& spec_;
  std::string base_sha256_;
  PairData data_;
  DataFacts facts_;
  StepRows order_;
  ReferenceLogps reference_, held_out_reference_;
  // of the step in work
  std::int64_t pairs_ = 0;
  PairMetrics metrics_;
};

}  // namespace hone::rl
