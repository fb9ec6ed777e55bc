#include "rl/eval/calibration.h"

#include <algorithm>
#include <cmath>

#include "rl/random/philox.h"

namespace hone::rl {
namespace {

constexpr std::size_t kBins = 15;
constexpr std::size_t kRounds = 1000;

double log_sigmoid(double x) { return -(std::max(-x, 0.0) + std::log1p(std::exp(-std::abs(x)))); }
double sigmoid(double x) {
  return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
}

/// One pair as a guess: how sure, and how right.
struct Guess {
  double confidence, right;
};

double error_of(std::vector<Guess>& guesses) {
  if (guesses.empty()) return 0;
  std::sort(guesses.begin(), guesses.end(),
            [](const Guess& a, const Guess& b) { return a.confidence < b.confidence; });
  double error = 0;
  const std::size_t n = guesses.size();
  for (std::size_t bin = 0; bin < kBins; ++bin) {
    double confidence = 0, right = 0;
    for (std::size_t i = n * bin / kBins; i < n * (bin + 1) / kBins; ++i) {
      confidence += guesses[i].confidence;
      right += guesses[i].right;
    }
    error += std::abs(confidence - right) / static_cast<double>(n);  // weighted by the bin's mass
  }
  return error;
}

}  // namespace

double nll_of(const RankedPairs& pairs, double temperature) {
  double sum = 0;
  for (std::size_t i = 0; i < pairs.z.size(); ++i) {
    const double z = pairs.z[i] / temperature;
    sum -= pairs.p[i] * log_sigmoid(z) + (1 - pairs.p[i]) * log_sigmoid(-z);
  }
  return pairs.z.empty() ? 0 : sum / static_cast<double>(pairs.z.size());
}

double brier_of(const RankedPairs& pairs, double temperature) {
  double sum = 0;
  for (std::size_t i = 0; i < pairs.z.size(); ++i)
    sum += std::pow(sigmoid(pairs.z[i] / temperature) - pairs.p[i], 2);
  return pairs.z.empty() ? 0 : sum / static_cast<double>(pairs.z.size());
}

double fit_temperature(const RankedPairs& pairs) {
  // Golden section on log T: nll_of is convex in 1/T, so it has one minimum on the way.
  const double ratio = (std::sqrt(5.0) - 1) / 2;
  double low = std::log(0.01), high = std::log(100.0);
  double a = high - ratio * (high - low), b = low + ratio * (high - low);
  double at_a = nll_of(pairs, std::exp(a)), at_b = nll_of(pairs, std::exp(b));
  while (high - low > 1e-8) {
    if (at_a < at_b) {
      high = b, b = a, at_b = at_a;
      a = high - ratio * (high - low);
      at_a = nll_of(pairs, std::exp(a));
    } else {
      low = a, a = b, at_a = at_b;
      b = low + ratio * (high - low);
      at_b = nll_of(pairs, std::exp(b));
    }
  }
  return std::exp((low + high) / 2);
}

CalibrationError ece_of(const RankedPairs& pairs, double temperature, std::uint64_t seed) {
  std::vector<Guess> guesses;
  for (std::size_t i = 0; i < pairs.z.size(); ++i) {
    const double p = sigmoid(pairs.z[i] / temperature);
    guesses.push_back(p >= 0.5 ? Guess{p, pairs.p[i]} : Guess{1 - p, 1 - pairs.p[i]});
  }
  CalibrationError out;
  auto sorted = guesses;
  out.value = error_of(sorted);
  if (guesses.empty()) return out;
  const Random random(seed, Stream::Bootstrap);
  std::vector<double> errors;
  for (std::size_t round = 0; round < kRounds; ++round) {
    std::vector<Guess> drawn;
    for (std::size_t i = 0; i < guesses.size(); ++i)
      drawn.push_back(guesses[random.below(guesses.size(), round, i)]);
    errors.push_back(error_of(drawn));
  }
  std::sort(errors.begin(), errors.end());
  out.interval = {errors[kRounds * 25 / 1000], errors[kRounds * 975 / 1000 - 1]};
  return out;
}

double correlation(std::span<const double> a, std::span<const double> b) {
  const auto n = static_cast<double>(a.size());
  double mean_a = 0, mean_b = 0, aa = 0, bb = 0, ab = 0;
  for (std::size_t i = 0; i < a.size(); ++i) mean_a += a[i] / n, mean_b += b[i] / n;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double da = a[i] - mean_a, db = b[i] - mean_b;
    aa += da * da, bb += db * db, ab += da * db;
  }
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : 0;
}

}  // namespace hone::rl
