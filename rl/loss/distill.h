// Distillation: the divergence of a student's next-token distribution from a teacher's.
#pragma once

#include <ATen/core/Tensor.h>

namespace hone::rl {

enum class Divergence {
  ForwardKl,      ///< KL(teacher || student): covers all that the teacher does
  ReverseKl,      ///< KL(student || teacher): keeps to what the teacher does most
  JensenShannon,  ///< generalised, by beta
};

struct DistillOptions {
  Divergence divergence = Divergence::ForwardKl;
  double beta = 0.5;  ///< of Jensen-Shannon, in [0,1]: the teacher's share of the mixture
  double temperature = 1;
};

/// Generalised knowledge distillation, Agarwal et al. 2023 (GKD, arXiv:2306.13649), eq. 1; TRL's
/// `generalized_jsd_loss`. With t and s the softmax of logits / temperature and the mixture
/// m = beta t + (1 - beta) s:
///   ForwardKl      sum t (log t - log s)                                    TRL's beta = 0
///   ReverseKl      sum s (log s - log t)                                    TRL's beta = 1
///   JensenShannon  beta KL(t || m) + (1 - beta) KL(s || m)
/// JensenShannon with beta 0 or 1 is the forward or the reverse KL, by TRL's convention; the
/// formula itself goes to 0 at both ends, as beta KL(t || s) and (1 - beta) KL(s || t). Minimised
/// at s = t, where it is 0.
///
/// student, teacher  [n,V]  logits of the rows that count, finite, over one vocabulary
/// Units: nats, summed over the vocabulary. Not multiplied by temperature^2 (Hinton et al. 2015
/// does), as TRL's is not.
/// Mask: rows that do not count are not given. Gradient flows into the student only.
/// Returns [n], unreduced. Edge: no rows give an empty [0].
at::Tensor distill_loss(const at::Tensor& student, const at::Tensor& teacher,
                        const DistillOptions& options);

/// The gradient of sum(upstream * distill_loss) with respect to the student's logits, [n,V], in
/// closed form for heads that keep no graph: with T the temperature
///   ForwardKl  (s - t) / T;   otherwise  s (g - sum s g) / T
/// where g = log s - log t for ReverseKl and (1 - beta)(log s - log m) for JensenShannon: the
/// derivatives of the mixture's logarithm cancel.
/// upstream [n]: the weight of each row. Records no graph.
at::Tensor distill_gradient(const at::Tensor& student, const at::Tensor& teacher,
                            const DistillOptions& options, const at::Tensor& upstream);

}  // namespace hone::rl
