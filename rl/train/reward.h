// Reward models: a score for an answer, learnt from which of two was preferred.
#pragma once

#include <optional>
#include <vector>

#include "rl/data/batches.h"
#include "rl/data/pairs.h"
#include "rl/eval/calibration.h"
#include "rl/loss/pair_links.h"
#include "rl/train/objective.h"

namespace hone::rl {

class RewardObjective : public Objective {
 public:
  RewardObjective(const TrainSpec& spec, const Base& base);

  const DataFacts& facts() const override { return facts_; }
  std::vector<ShownText> show(std::int64_t row) const override;
  /// The base under a fresh score head; a reward model keeps its own and is trained on.
  Model load(const Base& base) const override;
  /// The link's learnt cuts, where it has some.
  std::vector<NamedWeight> parameters() override;
  bool prepare(Model&, const SafetensorsFile*, Observer&) override { return true; }
  std::int64_t total_steps() const override;
  std::optional<StepPlan> begin(Model& model, std::int64_t step, Observer& observer) override;
  std::int64_t accumulate(Model& model, const std::vector<std::int64_t>& rows) override;
  StepResult finish() override;
  std::optional<HeldOut> held_out(Model& model, Observer& observer) override;
  bool generates() const override { return false; }
  /// hone/reward.json: offset, scale and temperature; what the scores on held-out pairs look like.
  void leave(const std::filesystem::path& hone) const override;

 private:
  /// Cuts from what is learnt: positive and ascending, whatever that is.
  at::Tensor cuts_of(const at::Tensor& raw) const;

  const TrainSpec& spec_;
  PairData data_;
  DataFacts facts_;
  StepRows order_;
  Link link_;
  Weight raw_cuts_;  ///< [1] or [3]; undefined: the link has none
  double center_, absolute_;
  // of the step in work
  double weight_ = 0, pairs_ = 0, marks_ = 0;
  double loss_ = 0, right_ = 0, nll_ = 0, z_ = 0;
  std::int64_t strict_ = 0, tokens_ = 0;
  std::vector<double> scores_, lengths_;
  // after the evaluation
  struct Fitted {
    double offset = 0, scale = 1, temperature = 1;
    std::int64_t pairs = 0;
  };
  std::optional<Fitted> fitted_;
};

}  // namespace hone::rl
