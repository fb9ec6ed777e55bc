// Pair links: each is one number's loss, z > 0 meaning that a is better than b. Shared by reward
// models (z = score_a - score_b) and the DPO family (z = beta * (h_a - h_b)).
//
// z [B] carries gradient, and so may tau and the cuts, which a reward model can learn. Labels carry
// none. Every link returns [B], nats, unreduced, in z's type; of no pairs an empty [0].
//
// The order of a row. `soft`, `ordinal` and ties know both orders by themselves: p < 1/2 and a
// negative step ask for z < 0, a tie is even in z. All other links ask for z > 0: for a row whose b
// was preferred the caller multiplies z by -1 first (an `order` [B] of +1 and -1), or has laid the
// preferred response in a's place.
#pragma once

#include <ATen/core/Tensor.h>

namespace hone::rl {

/// `sigmoid`: -log sigma(z), Bradley-Terry for a strict label.
at::Tensor sigmoid_link(const at::Tensor& z);

/// `soft`: -p log sigma(z) - (1-p) log sigma(-z). p = 1 is `sigmoid`, p = 1/2 a tie, p = 1-eps is
/// cDPO (Mitchell 2023). p [B] in [0,1] is the probability that a is the better one.
at::Tensor soft_link(const at::Tensor& z, const at::Tensor& p);

/// `debiased`: [-(1-eps) log sigma(z) + eps log sigma(-z)] / (1-2 eps), the unbiased estimate of
/// `sigmoid` under labels flipped at rate eps [B] < 1/2. Chowdhury et al. 2024 (rDPO,
/// arXiv:2403.00409), eq. 12; TRL's `robust`. Unbounded below, its slope never ends: so no gradient
/// flows from rows with |z| > 10, in either direction. The value is the formula's everywhere.
at::Tensor debiased_link(const at::Tensor& z, const at::Tensor& eps);

/// `flip`: -log(eps + (1-2 eps) sigma(z)), the likelihood of a label flipped at rate eps [B] in
/// [0, 1/2]. Bounded by -log eps, so a row that is surely mislabelled stops pulling. eps = 0 is
/// `sigmoid`, eps = 1/2 the constant log 2.
at::Tensor flip_link(const at::Tensor& z, const at::Tensor& eps);

/// `margin`: -log sigma(z - mu), mu [B] >= 0 by how much a should be ahead. Touvron et al. 2023
/// (Llama 2, arXiv:2307.09288), eq. 2; as a policy loss Amini et al. 2024 (ODPO, arXiv:2402.10571).
at::Tensor margin_link(const at::Tensor& z, const at::Tensor& mu);

/// `hinge`: max(0, 1 - z). Zhao et al. 2023 (SLiC, arXiv:2305.10425) on DPO's z.
at::Tensor hinge_link(const at::Tensor& z);

/// `rk`, Rao & Kupper 1967; as a policy loss arXiv:2409.17431. A win of a: -log sigma(z - tau).
at::Tensor rk_win(const at::Tensor& z, const at::Tensor& tau);
/// A tie: -[log(expm1(2 tau)) + log sigma(z - tau) + log sigma(-z - tau)]. The two wins' and the
/// tie's probabilities sum to 1. tau > 0, one for all rows or [B].
at::Tensor rk_tie(const at::Tensor& z, const at::Tensor& tau);
/// The tau at which two equal responses tie at this rate in (0,1): P(tie) = tanh(tau / 2) at z = 0.
double rk_tau(double tie_rate);

/// `ordinal`: minus the log-probability that z plus logistic noise falls between the cuts l < u of
/// the given step: -[log sigma(u-z) + log sigma(z-l) + log(-expm1(l-u))]; an open end drops its
/// factor. McCullagh 1980's proportional odds with symmetric cuts.
/// step [B] whole numbers in -K..K, > 0 for a; cuts [K], 0 < tau1 < ... < tauK: step 0 lies between
/// -tau1 and tau1, step K above tauK. K is 3 for answers on seven steps; with one cut it is `rk`.
at::Tensor ordinal_link(const at::Tensor& z, const at::Tensor& step, const at::Tensor& cuts);

enum class Link { Sigmoid, Soft, Debiased, Flip, Margin, Hinge, RaoKupper, Ordinal };

/// What was said of each pair, each [B]; a link reads its own and may leave the others undefined.
struct PairLabels {
  at::Tensor p{};       ///< soft: probability that a is better
  at::Tensor flip{};    ///< debiased, flip: rate at which the label's judge errs
  at::Tensor margin{};  ///< margin: by how much a should be ahead, >= 0
  at::Tensor step{};    ///< ordinal: -3..3
  at::Tensor tie{};     ///< rk: nonzero where the judge saw no difference
};

struct LinkOptions {
  at::Tensor cuts{};  ///< rk: tau [] or [1]; ordinal: [K], ascending; with gradient when learned
};

/// The named link of each row, [B].
at::Tensor link_loss(Link link, const at::Tensor& z, const PairLabels& labels,
                     const LinkOptions& options = {});

}  // namespace hone::rl
