// Supervised fine-tuning: conversations whose assistant turns are learnt.
#pragma once

#include <optional>

#include "rl/data/batches.h"
#include "rl/data/demonstrations.h"
#include "rl/model/score.h"
#include "rl/train/objective.h"

namespace hone::rl {

/// A row's tokens as one packed sequence each, of which only what is learnt is scored.
Packed pack_demonstrations(const std::vector<DemonstrationRow>& data,
                           const std::vector<std::int64_t>& rows);

/// Cuts rows into passes of at most `max_tokens`; one row may exceed it alone.
std::vector<std::vector<std::int64_t>> micro_batches(const std::vector<DemonstrationRow>& data,
                                                     const std::vector<std::int64_t>& rows,
                                                     std::int64_t max_tokens);

/// Tokens that are learnt.
std::int64_t learnt_tokens(const std::vector<DemonstrationRow>& data,
                           const std::vector<std::int64_t>& rows);

DataFacts facts_of(const DemonstrationData& data);
ShownText show_demonstration(const DemonstrationRow& row);

class DemonstrationObjective : public Objective {
 public:
  DemonstrationObjective(const TrainSpec& spec, const Base& base);

  const DataFacts& facts() const override { return facts_; }
  std::vector<ShownText> show(std::int64_t row) const override;
  bool prepare(Model&, const SafetensorsFile*, Observer&) override { return true; }
  std::int64_t total_steps() const override;
  std::optional<StepPlan> begin(Model& model, std::int64_t step, Observer& observer) override;
  std::int64_t accumulate(Model& model, const std::vector<std::int64_t>& rows) override;
  StepResult finish() override;
  std::optional<HeldOut> held_out(Model& model, Observer& observer) override;

 private:
  const TrainSpec& spec_;
  DemonstrationData data_;
  DataFacts facts_;
  StepRows order_;
  // of the step in work
  std::int64_t tokens_ = 0;
  double nll_ = 0, right_ = 0, entropy_ = 0;  // sums over the step's tokens
};

}  // namespace hone::rl
