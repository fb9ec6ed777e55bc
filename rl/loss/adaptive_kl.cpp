#include "rl/loss/adaptive_kl.h"

#include <algorithm>
#include <cmath>

#include "feedback/base/error.h"

namespace hone::rl {
namespace {

constexpr double kErrorMax = 0.2;

}  // namespace

double adapted_kl(double coefficient, double kl, std::int64_t sequences,
                  const AdaptiveKl& options) {
  if (!(options.target > 0) || !(options.horizon > 0))
    throw Error(Code::Invalid, "the KL controller's target and horizon must be above 0");
  const double share = static_cast<double>(sequences) / options.horizon;
  if (kErrorMax * share >= 1)
    throw Error(Code::Invalid,
                "the KL controller's horizon must be longer than a fifth of the "
                "sequences of a rollout");
  if (!std::isfinite(kl)) return coefficient;
  const double error = std::clamp(kl / options.target - 1, -kErrorMax, kErrorMax);
  return coefficient * (1 + error * share);
}

}  // namespace hone::rl
