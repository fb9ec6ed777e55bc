#include "rl/loss/distill.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/logaddexp.h>
#include <c10/core/GradMode.h>
#include <c10/util/Exception.h>

#include <cmath>

#include "feedback/base/error.h"

namespace hone::rl {
namespace {

/// The divergence meant: TRL's ends of beta by their own names.
Divergence named(const DistillOptions& options) {
  if (!(options.temperature > 0))
    throw Error(Code::Invalid, "the temperature of distillation must be above 0");
  if (options.divergence != Divergence::JensenShannon) return options.divergence;
  if (!(options.beta >= 0 && options.beta <= 1))
    throw Error(Code::Invalid, "beta of the Jensen-Shannon divergence lies in 0 to 1");
  if (options.beta == 0) return Divergence::ForwardKl;
  return options.beta == 1 ? Divergence::ReverseKl : Divergence::JensenShannon;
}

struct LogProbs {
  at::Tensor student, teacher;  // [n,V]
};

LogProbs log_probs(const at::Tensor& student, const at::Tensor& teacher, double temperature) {
  TORCH_CHECK(student.dim() == 2 && teacher.sizes() == student.sizes(), "want logits [n,V], got ",
              student.sizes(), " and ", teacher.sizes());
  TORCH_CHECK(!teacher.requires_grad(), "the teacher is frozen");
  return {at::log_softmax(student / temperature, -1), at::log_softmax(teacher / temperature, -1)};
}

/// KL(p || q) of each row, [n].
at::Tensor kl(const at::Tensor& log_p, const at::Tensor& log_q) {
  return (log_p.exp() * (log_p - log_q)).sum(-1);
}

/// log m, [n,V]; of the reverse KL, whose mixture is all teacher, log t.
at::Tensor log_mixture(const LogProbs& log, Divergence divergence, double beta) {
  if (divergence == Divergence::ReverseKl) return log.teacher;
  return at::logaddexp(log.student + std::log1p(-beta), log.teacher + std::log(beta));
}

/// What s weighs in KL(s || m): 1 - beta, or all of the reverse KL.
double student_share(Divergence divergence, double beta) {
  return divergence == Divergence::ReverseKl ? 1 : 1 - beta;
}

}  // namespace

at::Tensor distill_loss(const at::Tensor& student, const at::Tensor& teacher,
                        const DistillOptions& options) {
  const auto divergence = named(options);
  const auto log = log_probs(student, teacher, options.temperature);
  if (divergence == Divergence::ForwardKl) return kl(log.teacher, log.student);

  // Only the s in front of g carries gradient: what else depends on the student cancels. Left to
  // autograd it cancels in rounded terms, which in f32 costs digits where beta is small.
  const LogProbs held{log.student.detach(), log.teacher};
  const auto mixture = log_mixture(held, divergence, options.beta);  // [n,V]
  const auto g = student_share(divergence, options.beta) * (held.student - mixture);
  const auto of_student = (log.student.exp() * g).sum(-1);  // [n]
  if (divergence == Divergence::ReverseKl) return of_student;
  return of_student + options.beta * kl(held.teacher, mixture);
}

at::Tensor distill_gradient(const at::Tensor& student, const at::Tensor& teacher,
                            const DistillOptions& options, const at::Tensor& upstream) {
  const c10::NoGradGuard no_graph;
  const auto divergence = named(options);
  const auto log = log_probs(student, teacher, options.temperature);
  const auto weight = (upstream / options.temperature).unsqueeze(-1);  // [n,1]
  const auto s = log.student.exp();
  if (divergence == Divergence::ForwardKl) return weight * (s - log.teacher.exp());
  const auto g = student_share(divergence, options.beta) *
                 (log.student - log_mixture(log, divergence, options.beta));
  return weight * s * (g - (s * g).sum(-1, true));
}

}  // namespace hone::rl
