// The DPO loop.
#pragma once

#include <cstdint>
#include <filesystem>

#include "rl/data/pairs.h"
#include "rl/model/model.h"
#include "rl/optim/adamw.h"
#include "rl/train/checkpoint.h"
#include "rl/train/observer.h"
#include "rl/train/reference.h"
#include "rl/train/spec.h"

namespace hone::rl {

/// One attempt's hold on a run: where it stands and where it leaves things.
struct Attempt {
  const TrainSpec& spec;
  Observer& observer;
  CheckpointState state;              ///< step 0, or what a checkpoint said
  std::filesystem::path checkpoints;  ///< out/checkpoints
  std::filesystem::path metrics;      ///< out/metrics.jsonl, holding the lines of steps done
  const ReferenceLogps& reference;    ///< of data.train
  NamedTensors extra;                 ///< goes into every checkpoint beside weights and optimizer
};

/// Steps of the whole run.
std::int64_t total_steps(const TrainSpec& spec, std::int64_t rows);

/// Direct preference optimization over data.train; the mathematics is rl/loss/dpo.h. Told to stop,
/// it ends at a step boundary with a checkpoint and returns false; the next attempt goes on bit for
/// bit. Returns true when all steps are done, with a checkpoint of the last. Throws RunFailure when
/// the loss is not finite or the reference is not the start.
bool train_dpo(Model& model, AdamW& optimizer, const PairData& data, Attempt& attempt);

}  // namespace hone::rl
