// Distillation: a student learns a teacher's distributions over the assistant's tokens.
#pragma once

#include <optional>

#include "rl/data/batches.h"
#include "rl/data/demonstrations.h"
#include "rl/ops/distill_head.h"
#include "rl/train/objective.h"

namespace hone::rl {

class DistillationObjective : public Objective {
 public:
  /// Invalid when the teacher has another tokenizer: its numbers would be of other tokens.
  DistillationObjective(const TrainSpec& spec, const Base& base);

  const DataFacts& facts() const override { return facts_; }
  std::vector<ShownText> show(std::int64_t row) const override;
  std::int64_t other_bytes(const ModelConfig& config) const override;
  bool prepare(Model& model, const SafetensorsFile* checkpoint, Observer& observer) override;
  std::int64_t total_steps() const override;
  std::optional<StepPlan> begin(Model& model, std::int64_t step, Observer& observer) override;
  std::int64_t accumulate(Model& model, const std::vector<std::int64_t>& rows) override;
  StepResult finish() override;
  std::optional<HeldOut> held_out(Model& model, Observer& observer) override;

 private:
  const TrainSpec& spec_;
  Base teacher_base_;
  DemonstrationData data_;
  DataFacts facts_;
  StepRows order_;
  DistillOptions options_;
  std::optional<Model> teacher_;
  // of the step in work
  std::int64_t tokens_ = 0;
  double divergence_ = 0;
};

}  // namespace hone::rl
