// What stands before the first step, alike for a run and for its rehearsal (dry_run.h).
#pragma once

#include <optional>

#include "rl/formats/base.h"
#include "rl/train/checkpoint.h"
#include "rl/train/objective.h"
#include "rl/train/observer.h"
#include "rl/train/spec.h"

namespace hone::rl {

/// The checkpoint that the spec goes on from; a damaged one is told, and one before it taken.
std::optional<Checkpoint> open_resumed(const TrainSpec& spec, Observer& observer);

/// Threads and the way to multiply: a checkpoint's, so that the run ends bit for bit the same.
void choose_products(const TrainSpec& spec, const std::optional<Checkpoint>& checkpoint,
                     Observer& observer);

/// Puts float32 or bfloat16 where the spec says auto: the checkpoint's, or what is faster here.
/// Call behind choose_products. How many times faster bf16 products are; 0: nobody had to know.
double resolve_dtype(TrainSpec& spec, const std::optional<Checkpoint>& checkpoint,
                     Observer& observer);

/// The base that the spec's method can start from.
Base open_start(const TrainSpec& spec);

/// What was left out of the data, changed or met, and why; prompts of both splits as a warning.
void tell_data(const DataFacts& facts, std::int64_t longest, Observer& observer);
std::string leak_in_words(const DataFacts& facts);

/// The base as the spec trains it: with gradients or an adapter, and its way to multiply.
Model make_model(const Objective& objective, const Base& base, const TrainSpec& spec);

}  // namespace hone::rl
