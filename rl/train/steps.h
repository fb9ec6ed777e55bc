// How many steps a run of rows has, and how long a row may be: the same for all methods on rows.
#pragma once

#include <cstdint>

#include "rl/data/batches.h"
#include "rl/formats/base.h"
#include "rl/train/spec.h"

namespace hone::rl {

/// The spec's, or epochs times those of an epoch.
std::int64_t steps_of(const TrainSpec& spec, const StepRows& order);

/// The spec's bound on prompt and answer, at most the base's positions: beyond them a model knows
/// nothing, and dynamic scaling would begin.
std::int64_t longest_tokens(const TrainSpec& spec, const Base& base);

}  // namespace hone::rl
