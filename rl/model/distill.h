// A student's distributions against a teacher's on the rows that are scored, chunk by chunk: the
// logits of either never exist whole.
#pragma once

#include <ATen/core/Tensor.h>

#include "rl/loss/distill.h"
#include "rl/ops/head.h"

namespace hone::rl {

/// Divergence of every row, [N] nats (rl/loss/distill.h), of two heads over one vocabulary. With
/// `dstudent` also its gradient: that of sum(upstream * divergence) with respect to the student's
/// rows, [N,C]; the weight's own is added to dweight [V,C] where that is defined.
///
/// student [N,C] and its weight [V,C], teacher [N,D] and its weight [V,D]: rows after the final norm.
/// The vocabularies' common part counts where one head has rows to spare.
at::Tensor distil_rows(const at::Tensor& student, const at::Tensor& weight,
                       const at::Tensor& teacher, const at::Tensor& teacher_weight,
                       const DistillOptions& options, const at::Tensor& upstream = {},
                       at::Tensor* dstudent = nullptr, at::Tensor dweight = {},
                       const HeadOptions& head = {});

}  // namespace hone::rl
