// The policy-gradient loss of PPO and the group methods, by its axes: which ratio, which surrogate,
// where the KL term stands. Advantages come from advantages.h, the weight of a token from
// aggregate.h; a named method is a choice on each axis.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

namespace hone::rl {

/// rho, how much likelier the policy makes a token, or its whole sequence, than when it was
/// sampled.
enum class Ratio {
  Token,    ///< exp(lp - old)
  SeqMean,  ///< exp(sum m (lp - old) / n), one for all tokens. GSPO, Zheng et al. 2025
            ///< (arXiv:2507.18071), eq. 7
  SeqSum,   ///< exp(sum m (lp - old)), the sequence's own
};

struct Surrogate {
  double clip_low = 0.2, clip_high = 0.2;  ///< rho counts within 1 - low .. 1 + high
  double dual = 0;                         ///< c > 1: where A < 0 the loss ends at -c A; 0 is off
  bool cispo = false;                      ///< clamp the weight, not the term; absolute bounds:
  double cispo_min = 0, cispo_max = 5;
};

/// Estimators of KL(policy || reference) per token from samples of the policy. Schulman 2020,
/// "Approximating KL divergence". Expected gradient as a loss, on samples of the policy itself: k1
/// none, k2 that of KL(policy || ref), k3 that of KL(ref || policy).
enum class KlEstimator {
  K1,        ///< lp - ref
  K2,        ///< (lp - ref)^2 / 2
  K3,        ///< e^(ref-lp) - 1 - (ref-lp), never negative
  K3GradK2,  ///< the value of k3 with the gradient of k2 (verl's `k3+`)
};

/// Where the KL term enters. All but Loss are the caller's, who makes the rewards.
enum class KlPlace {
  None,
  Reward,      ///< per token, before gae
  RewardPre,   ///< per sequence, before the group's baseline
  RewardPost,  ///< per token, after the group's baseline
  Loss,
};

struct PolicyOptions {
  Ratio ratio = Ratio::Token;
  Surrogate surrogate{};
  KlPlace kl_place = KlPlace::None;
  KlEstimator kl_estimator = KlEstimator::K3GradK2;
  double kl_coefficient = 0;
};

struct PolicyLoss {
  at::Tensor per_token;                  ///< [N] with gradient; 0 where the mask is
  at::Tensor ratio;                      ///< [N] detached: rho, 1 where the mask is 0
  at::Tensor kl;                         ///< [N] detached; undefined unless it is in the loss
  at::Tensor clip_low, clip_high, dual;  ///< [N] bool: where the surrogate was cut, gradient too
  std::int64_t clamped_ratios = 0;       ///< tokens, or sequences, with a log-ratio beyond +-20
  std::int64_t clamped_kl = 0;           ///< tokens with ref - lp above 20
};

/// The estimator at each token, [N] nats; gradient flows into lp. In k3 ref - lp is clamped to 20
/// at most, with no gradient beyond; `clamped` counts those when given. ref must not require
/// gradient.
at::Tensor kl_estimate(const at::Tensor& lp, const at::Tensor& ref, KlEstimator estimator,
                       std::int64_t* clamped = nullptr);

/// clip    L = -min(rho A, clamp(rho, 1 - low, 1 + high) A). PPO, Schulman et al. 2017
///         (arXiv:1707.06347), eq. 7; low and high apart: DAPO, Yu et al. 2025 (arXiv:2503.14476).
/// dual c  where A < 0, L = min(L, -c A). Ye et al. 2020 (arXiv:1912.09729), eq. 5.
/// cispo   L = -stopgrad(clamp(rho, min, max)) A lp. MiniMax-M1 2025 (arXiv:2506.13585), eq. 4.
/// plus kl_coefficient times the estimator when the KL stands in the loss.
/// Minimised by making tokens of positive advantage likelier, no further than the clip.
///
/// lp          [N]  log-probability of each response token, sequences end to end
/// old         [N]  the same under the weights that sampled
/// ref         [N]  the same under the reference; may be undefined unless the KL is in the loss
/// advantages  [N]  per token; group methods repeat the sequence's
/// mask        [N]  1 = counts, 0 = does not; bool or a number
/// lengths     [B]  tokens of each sequence; they sum to N
/// weights     [N]  of the surrogate's terms (sampler_correction.h); undefined: 1
/// Units: nats. Exponents are clamped to +-20, with no gradient beyond; clamps are counted.
/// Gradient flows into lp only; old, ref and advantages must not require it.
/// Returns per_token unreduced: times token_weights and summed it is the micro-batch's share. Of a
/// sequence ratio the sequence's loss stands at each of its tokens, and each token's gradient is
/// that of the whole ratio: SeqMeanTokenMean (gspo) and SeqMean (rloo) then count a sequence once,
/// as TRL's `importance_sampling_level="sequence"` does. (Surrogates of one sequence are equal at
/// all its tokens only if its advantages are.)
/// Edge: on samples of the present weights rho is exactly 1, L = -A and its gradient -A. NaN under
/// the mask does no harm. No tokens give an empty [0].
/// Invalid for k1 in the loss, whose expected gradient is zero.
PolicyLoss policy_loss(const at::Tensor& lp, const at::Tensor& old, const at::Tensor& ref,
                       const at::Tensor& advantages, const at::Tensor& mask,
                       std::span<const std::int64_t> lengths, const PolicyOptions& options,
                       const at::Tensor& weights = {});

}  // namespace hone::rl
