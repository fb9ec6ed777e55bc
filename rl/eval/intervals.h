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

/// Mean of a few independent values, with Student's interval (Student 1908) at one degree of
/// freedom less than there are values. Of one value the interval is that value.
struct StudentMean {
  double mean = 0;
  Interval interval = {};
};
StudentMean student_mean(const std::vector<double>& values);
/// The 97.5 % point of Student's distribution.
double student_t(std::int64_t degrees);

/// Percentile bootstrap of the mean (Efron 1979): 10,000 resamples, drawn from the bootstrap stream
/// of `seed`. Empty values give {0, 0}.
Interval bootstrap_mean(const std::vector<double>& values, std::uint64_t seed);

}  // namespace hone::rl
