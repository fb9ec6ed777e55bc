// How many steps a run of rows has, how long a row may be, the numbers of a step's rows: the same
// for all methods on rows.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "rl/data/batches.h"
#include "rl/formats/base.h"
#include "rl/train/spec.h"

namespace hone::rl {

/// The spec's, or epochs times those of an epoch.
std::int64_t steps_of(const TrainSpec& spec, const StepRows& order);

/// The spec's bound on prompt and answer, at most the base's positions: beyond them a model knows
/// nothing, and dynamic scaling would begin.
std::int64_t longest_tokens(const TrainSpec& spec, const Base& base);

/// The numbers of some rows, [rows] f32; undefined of an undefined tensor.
at::Tensor pick_rows(const at::Tensor& values, const std::vector<std::int64_t>& rows);

}  // namespace hone::rl
