// The learning rate as a function of the step: linear warm-up, then constant, linear or cosine to
// zero.
#pragma once

#include <cstdint>
#include <string>

namespace hone::rl {

enum class Decay { Constant, Linear, Cosine };

struct Schedule {
  double peak = 1e-6;
  Decay decay = Decay::Cosine;
  std::int64_t warmup = 0;  ///< steps
  std::int64_t steps = 1;   ///< of the whole run

  /// The rate of step `step`, 0-based. Equal to transformers' schedules: step 0 of a warm-up has
  /// rate 0.
  double at(std::int64_t step) const;
};

}  // namespace hone::rl
