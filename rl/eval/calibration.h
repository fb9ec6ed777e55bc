// How far a reward model's confidence can be believed: its probabilities sigma(z / T) against what
// people said.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "rl/eval/intervals.h"

namespace hone::rl {

/// z [n] of held-out pairs, positive where the model ranks the chosen answer first; p [n] is the
/// probability, by the labels, that the chosen answer is the better one (1 for a strict label).
struct RankedPairs {
  std::vector<double> z, p;
};

/// Mean of -p log sigma(z/T) - (1-p) log sigma(-z/T), nats.
double nll_of(const RankedPairs& pairs, double temperature);
/// Mean of (sigma(z/T) - p)^2. Brier 1950.
double brier_of(const RankedPairs& pairs, double temperature);

/// The T > 0 that minimises nll_of, in [1/100, 100]. Guo et al. 2017 (arXiv:1706.04599): one
/// number, which changes no ranking.
double fit_temperature(const RankedPairs& pairs);

/// Expected calibration error: over 15 bins of equal mass by confidence max(sigma, 1 - sigma), the
/// mean distance of confidence and accuracy. Naeini et al. 2015.
struct CalibrationError {
  double value = 0;
  Interval interval;  ///< bootstrap over pairs
};
CalibrationError ece_of(const RankedPairs& pairs, double temperature, std::uint64_t seed);

/// Pearson's correlation; 0 where one side does not vary.
double correlation(std::span<const double> a, std::span<const double> b);

}  // namespace hone::rl
