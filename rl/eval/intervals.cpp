#include "rl/eval/intervals.h"

#include <algorithm>
#include <cmath>
#include <iterator>

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

double student_t(std::int64_t degrees) {
  constexpr double kTable[] = {12.7062047, 4.3026527, 3.1824463, 2.7764451, 2.5705818,
                               2.4469119,  2.3646243, 2.3060041, 2.2621572, 2.2281389,
                               2.2009852,  2.1788128, 2.1603687, 2.1447867, 2.1314495};
  if (degrees < 1) return 0;
  if (degrees <= static_cast<std::int64_t>(std::size(kTable))) return kTable[degrees - 1];
  // Beyond: Cornish and Fisher's series about the normal one, right to 1e-6 there.
  const double z = 1.959963984540054, n = static_cast<double>(degrees), z2 = z * z;
  return z + z * (z2 + 1) / (4 * n) + z * (5 * z2 * z2 + 16 * z2 + 3) / (96 * n * n) +
         z * (3 * z2 * z2 * z2 + 19 * z2 * z2 + 17 * z2 - 15) / (384 * n * n * n) +
         z * (79 * z2 * z2 * z2 * z2 + 776 * z2 * z2 * z2 + 1482 * z2 * z2 - 1920 * z2 - 945) /
             (92160 * n * n * n * n);
}

StudentMean student_mean(const std::vector<double>& values) {
  if (values.empty()) return {};
  const auto n = static_cast<double>(values.size());
  double mean = 0, squares = 0;
  for (const double v : values) mean += v / n;
  for (const double v : values) squares += (v - mean) * (v - mean);
  if (values.size() == 1) return {mean, {mean, mean}};
  const double half =
      student_t(static_cast<std::int64_t>(values.size()) - 1) * std::sqrt(squares / (n - 1) / n);
  return {mean, {mean - half, mean + half}};
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
