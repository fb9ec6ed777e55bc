// Kahneman-Tversky optimization: responses judged one by one, good or bad, in no pairs.
#pragma once

#include <ATen/core/Tensor.h>

namespace hone::rl {

struct KtoOptions {
  double beta = 0.1;  ///< strength of the pull towards the reference, > 0
  double lambda_desirable = 1, lambda_undesirable = 1;
};

/// `kto`. Ethayarajh et al. 2024 (arXiv:2402.01306), eq. 8:
///   good  lambda_D (1 - sigma(beta (h - z0)))
///   bad   lambda_U (1 - sigma(beta (z0 - h)))
/// Minimised by raising good responses above z0, what the policy gains over the reference on
/// responses that are not the prompt's own, and lowering bad ones below it.
///
/// h          [B]  logp - ref of one whole response
/// desirable  [B]  bool, or a number: nonzero is good
/// z0              of the whole step (kto_z0), nats
/// Units: h in nats, summed over response tokens; the loss lies in (0, lambda).
/// Mask:  applied before, when h was summed.
/// Gradient flows into h only.
/// Returns [B], unreduced: the step's loss is the mean over its rows, good and bad together. The
/// reward of a row is beta * h.
/// Edge: h = z0 gives lambda/2; no rows give an empty [0]. A step of good rows alone is defined.
at::Tensor kto_loss(const at::Tensor& h, const at::Tensor& desirable, double z0,
                    const KtoOptions& options);

/// z0 = max(0, mean of h over mismatched pairs), nats, summed in f64; 0 when there are none.
/// h_mismatched [M] is logp - ref of other prompts' responses, of all rows of the optimizer step
/// and not of one micro-batch, so that no split changes the loss; with fewer rows than two it would
/// be the row's own reward.
double kto_z0(const at::Tensor& h_mismatched);

/// `kto.apo_zero`: good lambda_D (1 - sigma(beta h)), bad lambda_U sigma(beta h). D'Oosterlinck et
/// al. 2024 (arXiv:2408.06266), eq. 7 without pairs; TRL's `apo_zero_unpaired`: kto with z0 = 0.
at::Tensor kto_apo_zero(const at::Tensor& h, const at::Tensor& desirable,
                        const KtoOptions& options);

}  // namespace hone::rl
