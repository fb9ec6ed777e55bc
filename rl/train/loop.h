// The training loop: one for all methods.
#pragma once

#include <cstdint>
#include <filesystem>

#include "rl/model/model.h"
#include "rl/optim/adamw.h"
#include "rl/train/checkpoint.h"
#include "rl/train/objective.h"
#include "rl/train/observer.h"
#include "rl/train/spec.h"

namespace hone::rl {

/// One attempt's hold on a run: where it stands and where it leaves things.
struct Attempt {
  const TrainSpec& spec;
  Observer& observer;
  CheckpointState state;              ///< step 0, or what a checkpoint said
  std::filesystem::path checkpoints;  ///< out/checkpoints
  std::filesystem::path metrics;      ///< out/metrics.jsonl, holding the lines of steps done
};

/// Carries the steps out. Told to stop, it ends at a step boundary with a checkpoint and returns
/// false; the next attempt goes on bit for bit. True: all steps are done, with a checkpoint of the
/// last. Throws RunFailure when the loss or gradient is not finite, or a guard trips: the last good
/// checkpoint stays.
bool train(Model& model, AdamW& optimizer, Objective& objective, Attempt& attempt);

}  // namespace hone::rl
