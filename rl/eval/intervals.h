// Intervals at 95 %.
#pragma once

#include <cstdint>
#include <vector>

namespace hone::rl {

struct Interval {
  double low = 0, high = 0;
};

/// Wilson's interval of a proportion (Wilson 1927). `successes` may hold halves (ties).
Interval wilson(double successes, double trials);

/// Percentile bootstrap of the mean (Efron 1979): 10,000 resamples, drawn from the bootstrap stream
/// of `seed`. Empty values give {0, 0}.
Interval bootstrap_mean(const std::vector<double>& values, std::uint64_t seed);

}  // namespace hone::rl
