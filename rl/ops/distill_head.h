// Distillation on the rows that are scored: the divergence of a student's next-token distribution
// from a teacher's over the whole vocabulary, and its gradient. Two sets of logits never exist
// whole above a byte budget, as in head.h.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace hone::rl {

enum class Divergence {
  ForwardKl,  ///< KL(teacher || student)
  ReverseKl,  ///< KL(student || teacher)
  /// beta KL(teacher || m) + (1 - beta) KL(student || m), m = beta teacher + (1 - beta) student
  /// (Agarwal et al. 2023, arXiv:2306.13649); TRL's GKD calls this so, and its beta 0 and 1 the two
  /// above.
  Jsd
};

struct DistillOptions {
  Divergence divergence = Divergence::ForwardKl;
  double beta = 0.5;                                    ///< of Jsd: inside (0, 1)
  double temperature = 1;                               ///< both sides' logits are divided by it
  std::int64_t logits_bytes = std::int64_t{256} << 20;  ///< of both sides' logits at once
};

/// Hidden rows [N,C], normed, and the head [V,C] that they meet. Student and teacher agree in N and
/// V, not in C.
struct HeadRows {
  at::Tensor hidden, weight;
};

/// What the backward pass needs; logits are computed again.
struct DistillTrace {
  HeadRows student, teacher;
  at::Tensor student_lse, teacher_lse;  // [N]
  at::Tensor mean;  // [N]: the student's expectation of what its log-probabilities pull
};

/// The divergence of each row, [N] nats.
at::Tensor distill_divergence(const HeadRows& student, const HeadRows& teacher,
                              const DistillOptions& options, DistillTrace* trace = nullptr);

/// The gradient of the student's hidden [N,C] given that of the divergences [N]; adds that of its
/// weight to dweight [V,C] where defined. The teacher gets none. Spends the trace.
at::Tensor distill_divergence_backward(const at::Tensor& dvalues, at::Tensor dweight,
                                       const DistillOptions& options, DistillTrace& trace);

}  // namespace hone::rl
