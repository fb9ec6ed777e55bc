#include "rl/model/distill.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include <algorithm>

#include "rl/ops/matmul.h"

namespace hone::rl {

at::Tensor distil_rows(const at::Tensor& student, const at::Tensor& weight,
                       const at::Tensor& teacher, const at::Tensor& teacher_weight,
                       const DistillOptions& options, const at::Tensor& upstream,
                       at::Tensor* dstudent, at::Tensor dweight, const HeadOptions& head) {
  const std::int64_t N = student.size(0), V = std::min(weight.size(0), teacher_weight.size(0));
  const auto own = weight.narrow(0, 0, V), other = teacher_weight.narrow(0, 0, V);
  // Both sides' logits, their distributions and the gradient are there at once.
  const std::int64_t chunk = std::max<std::int64_t>(
      1, head.logits_bytes / (6 * V * static_cast<std::int64_t>(sizeof(float))));
  auto out = at::empty({N}, student.options());
  if (dstudent) *dstudent = at::empty_like(student);
  for (std::int64_t from = 0; from < N; from += chunk) {
    const std::int64_t n = std::min(chunk, N - from);
    const auto rows = student.narrow(0, from, n);
    const auto logits = matmul_nt(rows, own);                               // [n,V]
    const auto wanted = matmul_nt(teacher.narrow(0, from, n), other);       // [n,V]
    out.narrow(0, from, n).copy_(distill_loss(logits, wanted, options));
    if (!dstudent) continue;
    const auto dlogits =
        distill_gradient(logits, wanted, options, upstream.narrow(0, from, n)).contiguous();
    dstudent->narrow(0, from, n).copy_(matmul_nn(dlogits, own));
    if (dweight.defined()) accumulate_tn(dweight.narrow(0, 0, V), dlogits, rows);
  }
  return out;
}

}  // namespace hone::rl
