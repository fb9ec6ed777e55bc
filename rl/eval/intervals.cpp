#include "rl/eval/intervals.h"

#include <algorithm>
#include <cmath>

#include "rl/random/philox.h"

namespace hone::rl {

Interval wilson(double successes, double trials) {
  if (trials <= 0) return {0, 1};
  constexpr double z = 1.959963984540054;
  const double p = successes / trials, z2n = z * z / trials;
  const double centre = (p + z2n / 2) / (1 + z2n);
  const double half = z / (1 + z2n) * std::sqrt(p * (1 - p) / trials + z2n / (4 * trials));
  return {std::max(0.0, centre - half), std::min(1.0, centre + half)};
}

Interval bootstrap_mean(const std::vector<double>& values, std::uint64_t seed) {
  if (values.empty()) return {};
  constexpr std::size_t kRounds = 10000;
  const Random random(seed, Stream::Bootstrap);
  std::vector<double> means;
  for (std::size_t round = 0; round < kRounds; ++round) {
    double sum = 0;
    for (std::size_t i = 0; i < values.size(); ++i)
      sum += values[random.below(values.size(), round, i)];
    means.push_back(sum / static_cast<double>(values.size()));
  }
  std::sort(means.begin(), means.end());
  return {means[kRounds * 25 / 1000], means[kRounds * 975 / 1000 - 1]};
}

}  // namespace hone::rl
