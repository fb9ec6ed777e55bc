#include "rl/optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace hone::rl {

double Schedule::at(std::int64_t step) const {
  if (step < warmup) return peak * static_cast<double>(step) / static_cast<double>(warmup);
  const double done = static_cast<double>(step - warmup) /
                      static_cast<double>(std::max<std::int64_t>(1, steps - warmup));
  switch (decay) {
    case Decay::Constant:
      return peak;
    case Decay::Linear:
      return peak * std::max(0.0, 1.0 - done);
    case Decay::Cosine:
      return peak * std::max(0.0, 0.5 * (1.0 + std::cos(std::numbers::pi * done)));
  }
  return peak;
}

}  // namespace hone::rl
