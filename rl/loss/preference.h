// Losses of a pair of whole responses: the DPO family, and the reference-free SimPO and ORPO.
#pragma once

#include <ATen/core/Tensor.h>

#include "rl/loss/pair_links.h"

namespace hone::rl {

/// Of one response of each pair, each [B].
struct ResponseSums {
  at::Tensor logp{};    ///< S: log-probability of the whole response, nats; carries gradient
  at::Tensor ref{};     ///< the same under the reference, frozen; undefined for simpo and orpo
  at::Tensor tokens{};  ///< n: tokens that count, any number type, >= 1; for the forms by mean
};

enum class PreferenceForm {
  Dpo,
  DpoMean,
  IpoSum,
  IpoMean,
  ApoZero,
  ApoDown,
  SppoHard,
  Nca,
  Simpo,
  Orpo,
};

struct PreferenceOptions {
  PreferenceForm form = PreferenceForm::Dpo;
  Link link = Link::Sigmoid;  ///< of dpo and dpo mean; other forms have their own formula
  double beta = 0.1;          ///< strength of the pull towards the reference, > 0
  double gamma = 0;           ///< simpo: the margin, taken off after beta
  double lambda = 0.1;        ///< orpo: weight of the odds term
  LinkOptions link_options{};
};

struct PreferenceLoss {
  at::Tensor per_pair;                        ///< [B], with gradient
  at::Tensor reward_chosen, reward_rejected;  ///< [B], detached
  at::Tensor log_odds;  ///< [B], detached: o_c - o_r; undefined for other forms than orpo
};

/// With h = logp - ref, z = beta (h_c - h_r), and n tokens:
///
/// Dpo       link(z). Rafailov et al. 2023 (arXiv:2305.18290), eq. 7 when the link is sigmoid.
/// DpoMean   link(beta (h_c/n_c - h_r/n_r)). TRL's `sigmoid_norm`.
/// IpoSum    (h_c - h_r - 1/(2 beta))^2. Azar et al. 2023 (arXiv:2310.12036), eq. 17, beta its tau.
/// IpoMean   (h_c/n_c - h_r/n_r - 1/(2 beta))^2. TRL's `ipo`: at 200 tokens a target 200 times as
///           far as the sum's, which is why neither is called ipo alone.
/// ApoZero   1 - sigma(beta h_c) + sigma(beta h_r). D'Oosterlinck et al. 2024 (arXiv:2408.06266),
///           eq. 7: for chosen responses better than the model's own.
/// ApoDown   sigma(beta h_c) + 1 - sigma(z); eq. 8: for chosen ones worse than the model's own.
/// SppoHard  (h_c - 1/(2 beta))^2 + (h_r + 1/(2 beta))^2. Wu et al. 2024 (arXiv:2405.00675),
///           eq. 4.7 with the winner's probability 1.
/// Nca       -log sigma(beta h_c) - 1/2 log sigma(-beta h_c) - 1/2 log sigma(-beta h_r). Chen et
///           al. 2024 (arXiv:2402.05369), for pairs.
/// Simpo     -log sigma(beta (S_c/n_c - S_r/n_r) - gamma). Meng et al. 2024 (arXiv:2405.14734),
///           eq. 6. gamma is not a multiple of beta.
/// Orpo      -a_c - lambda log sigma(o_c - o_r) with a = S/n and log-odds o = a - log(1 - e^a).
///           Hong et al. 2024 (arXiv:2403.07691), eq. 6 and 7; the first term over the response
///           alone, each pair's own token mean (TRL's covers the prompt and is one mean over all
///           tokens: `orpo.full_nll`). A response of probability 1 counts as a = -1e-12.
///
/// Each is minimised by making the chosen response likelier than the rejected one; apo down lowers
/// both, ipo and sppo stop at their target.
/// Units: nats, summed over response tokens, or averaged where n stands in the formula.
/// Mask:  applied before, when the sums were made: response tokens, their end token included.
/// Gradient flows into logp only (and learned cuts); ref must not require it.
/// Returns per_pair unreduced, weight 1/pairs of the whole step. Rewards: beta h; of DpoMean and
/// IpoMean beta h/n, of Simpo beta S/n, of Orpo lambda a [TRL]; so the margin of rewards is z.
/// Labels [B] as the link reads them, chosen as a: a pair whose label says the contrary is either
/// laid the other way round or has p < 1/2 or a negative step (pair_links.h).
/// Edge: with logp = ref dpo is log 2 under a strict label. No pairs give an empty [0].
/// Invalid for a link other than sigmoid on a form that reads none.
PreferenceLoss preference_loss(const ResponseSums& chosen, const ResponseSums& rejected,
                               const PairLabels& labels, const PreferenceOptions& options);

}  // namespace hone::rl
