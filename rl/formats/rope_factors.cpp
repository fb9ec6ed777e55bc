#include "rl/formats/rope_factors.h"

#include <cmath>
#include <numbers>

namespace hone::rl {

std::vector<double> llama3_factors(const RopeScaling& s, double theta, std::int64_t head_dim) {
  const auto original = static_cast<double>(s.original_max_position_embeddings);
  std::vector<double> factors;
  for (std::int64_t i = 0; i < head_dim / 2; ++i) {
    const double wavelength =
        2 * std::numbers::pi *
        std::pow(theta, 2.0 * static_cast<double>(i) / static_cast<double>(head_dim));
    const double smooth =
        (original / wavelength - s.low_freq_factor) / (s.high_freq_factor - s.low_freq_factor);
    if (wavelength < original / s.high_freq_factor)
      factors.push_back(1);
    else if (wavelength > original / s.low_freq_factor)
      factors.push_back(s.factor);
    else
      factors.push_back(1 / ((1 - smooth) / s.factor + smooth));
  }
  return factors;
}

double yarn_attention(double factor) { return factor <= 1 ? 1 : 0.1 * std::log(factor) + 1; }

}  // namespace hone::rl
