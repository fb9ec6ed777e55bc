// The loss of PPO's value network.
#pragma once

#include <ATen/core/Tensor.h>

namespace hone::rl {

struct ValueLoss {
  at::Tensor per_token;  ///< [N] with gradient; 0 where the mask is
  at::Tensor clipped;    ///< [N] bool: where the clipped term was the greater
};

/// 1/2 max((V - G)^2, (clamp(V, V_old - clip, V_old + clip) - G)^2), as in the code of PPO
/// (Schulman et al. 2017, arXiv:1707.06347; the paper has no clip). Minimised at V = G; a value
/// that ran further than `clip` from where the rollout left it gets no gradient towards going on.
///
/// values      [N]  V, of the state before each response token
/// old_values  [N]  V when the rollout was scored
/// returns     [N]  G = A + V_old, before whitening
/// mask        [N]  1 = counts, 0 = does not
/// clip             in the rewards' unit, so meaningless until rewards are scaled; 0 is off
/// Gradient flows into values only.
/// Returns per_token unreduced; token_mean is the mean over the step's tokens.
/// Edge: V = V_old gives 1/2 (V - G)^2 and clips nothing; NaN under the mask does no harm; no
/// tokens give an empty [0].
ValueLoss value_loss(const at::Tensor& values, const at::Tensor& old_values,
                     const at::Tensor& returns, const at::Tensor& mask, double clip = 0.2);

}  // namespace hone::rl
