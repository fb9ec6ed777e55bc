// A whole training run: load, train, evaluate, publish; or its continuation from a checkpoint.
#pragma once

#include <cstdint>
#include <optional>

#include "rl/eval/win_rate.h"
#include "rl/train/objective.h"
#include "rl/train/observer.h"
#include "rl/train/spec.h"

namespace hone::rl {

struct Evaluation {
  std::optional<HeldOut> held_out;
  std::optional<WinRate> win_rate;
  /// Flat, for curves and tables: eval/held_out/..., eval/prompts/...
  Values values() const;
};

struct RunOutcome {
  bool finished = false;  ///< false: told to stop; a checkpoint of the last step is there
  std::int64_t steps = 0;
  std::int64_t tokens = 0;
  double train_s = 0;
  Evaluation evaluation;
};

/// Carries the run out in spec.out, which then holds metrics.jsonl, checkpoints/, hf/ (a language
/// model) or reward/ (a reward model), adapter/ (LoRA) and hone/. Throws hone::Error for what is
/// wrong in spec, base or data, RunFailure for a run that cannot go on.
RunOutcome run_training(const TrainSpec& spec, Observer& observer);

}  // namespace hone::rl
