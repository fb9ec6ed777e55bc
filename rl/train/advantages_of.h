// From what drawn answers are worth to the advantage of each of their tokens.
#pragma once

#include "feedback/training/settings.h"
#include "rl/loss/policy_gradient.h"
#include "rl/train/observer.h"
#include "rl/train/rollout.h"

namespace hone::rl {

/// Fills a scored rollout's advantages and mask and, where it has values, its returns: by the
/// settings "advantage", "truncated", "dynamic_sampling" and, with values, those of GAE. The KL to
/// the reference is taken off where `place` says, times `kl_coefficient`. Adds rl/reward, rl/adv/*,
/// rl/group/*, rl/kl/* and value/* to `values`.
void compare(Rollout& rollout, const feedback::Settings& settings, KlPlace place,
             double kl_coefficient, Values& values);

/// Nats an answer: mean of the sums of log policy - log reference; 0 without a reference.
double mean_kl(const Rollout& rollout);

}  // namespace hone::rl
