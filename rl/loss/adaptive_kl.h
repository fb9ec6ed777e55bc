// The controller of PPO's KL coefficient.
#pragma once

#include <cstdint>

namespace hone::rl {

struct AdaptiveKl {
  double target = 6;       ///< nats per sequence, not per token
  double horizon = 10000;  ///< sequences over which the coefficient may move by a fifth
};

/// The coefficient after a rollout of `sequences` whose mean KL per sequence was `kl`:
/// coefficient * (1 + clip(kl/target - 1, +-0.2) * sequences/horizon). Ziegler et al. 2019
/// (arXiv:1909.08593), section 2.2.
/// A KL that is not finite leaves the coefficient: that rollout is refused elsewhere.
/// Invalid when target or horizon is not above 0, or the horizon is so short that the coefficient
/// could turn negative (sequences >= 5 horizon).
double adapted_kl(double coefficient, double kl, std::int64_t sequences, const AdaptiveKl& options);

}  // namespace hone::rl
