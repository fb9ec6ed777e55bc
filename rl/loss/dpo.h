// Direct preference optimization: the loss, pure.
#pragma once

#include <ATen/core/Tensor.h>

namespace hone::rl {

struct DpoOptions {
  double beta = 0.1;  ///< strength of the pull towards the reference, > 0
};

struct DpoLoss {
  at::Tensor per_pair;            ///< [B], with gradient
  at::Tensor reward_a, reward_b;  ///< [B], detached: beta times the log-ratio
};

/// `dpo.soft.sum` (p = 1 is `dpo.sigmoid.sum`). Direct Preference Optimization, Rafailov et al.
/// 2023 (arXiv:2305.18290), eq. 7; the soft label is that of cDPO (Mitchell 2023): p = 1 gives eq.
/// 7, p = 1/2 a tie. Minimised by raising a above b as far as p asks, both relative to the
/// reference model.
///
/// policy_*, ref_*  [B]  log-probability of one whole response
/// p                [B]  probability that a is the better one, in [0,1]
/// Units: nats, summed over response tokens, not averaged: long responses weigh more.
/// Mask:  applied before, by response_logprobs: response tokens count, their end token included.
/// Gradient flows into policy_* only; ref_* must not require it.
/// Returns per_pair [B] with gradient, unreduced: only the loop knows the whole step's pairs.
/// Both rewards [B] come back detached: beta times the log-ratio.
/// Edge: equal log-ratios give log 2 for any p; no pairs give an empty [0], not NaN.
DpoLoss dpo_loss(const at::Tensor& policy_a, const at::Tensor& policy_b, const at::Tensor& ref_a,
                 const at::Tensor& ref_b, const at::Tensor& p, const DpoOptions& options);

}  // namespace hone::rl
