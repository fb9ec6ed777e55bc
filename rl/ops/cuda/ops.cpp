#include "rl/ops/cuda/ops.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <c10/cuda/CUDAStream.h>

#include "rl/ops/cuda/tensors.h"

namespace hone::rl::cuda {

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps, at::Tensor* rstd,
                    at::ScalarType type) {
  auto y = at::empty(x.sizes(), x.options().dtype(type));
  if (rstd) *rstd = at::empty({x.size(0)}, x.options());
  norm(floats(x), floats(weight), static_cast<float>(eps), numbers(y),
       rstd ? floats(*rstd) : nullptr, /*again=*/false, x.size(0), x.size(1), stream());
  return y;
}

at::Tensor rms_norm_again(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& rstd,
                          at::ScalarType type) {
  auto y = at::empty(x.sizes(), x.options().dtype(type));
  norm(floats(x), floats(weight), 0, numbers(y), floats(rstd), /*again=*/true, x.size(0), x.size(1),
       stream());
  return y;
}

void rms_norm_backward(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight,
                       const at::Tensor& rstd, at::Tensor dx, at::Tensor dweight) {
  const std::int64_t T = x.size(0), C = x.size(1);
  at::Tensor shares;
  if (dweight.defined()) {
    TORCH_CHECK(C <= 12288, "norms of more than 12,288 numbers do not train on CUDA");
    shares = at::empty({norm_blocks(T), C}, x.options());
  }
  norm_backward(numbers(dy), floats(x), floats(weight), floats(rstd), floats(dx),
                shares.defined() ? floats(shares) : nullptr, T, C, stream());
  if (shares.defined()) dweight.add_(shares.sum(0));
}

at::Tensor swiglu(const at::Tensor& gate_up) {
  const std::int64_t T = gate_up.size(0), F = gate_up.size(1) / 2;
  auto act = at::empty({T, F}, gate_up.options());
  cuda::swiglu(numbers(gate_up), numbers(act), T, F, stream());
  return act;
}

at::Tensor swiglu_backward(const at::Tensor& dact, at::Tensor gate_up) {
  auto act = at::empty_like(dact);
  cuda::swiglu_backward(numbers(dact), numbers(gate_up), numbers(act), act.size(0), act.size(1),
                        stream());
  return act;
}

void turn(at::Tensor x, const at::Tensor& positions, const at::Tensor& frequencies, double factor,
          std::int64_t heads, int direction) {
  cuda::turn(numbers(x), positions.const_data_ptr<std::int64_t>(), floats(frequencies),
             static_cast<float>(factor), direction, x.size(0), x.stride(0), heads,
             2 * frequencies.size(0), stream());
}

void head_norm(at::Tensor qkv, const at::Tensor& q_weight, const at::Tensor& k_weight,
               const HeadShape& s, double eps, HeadNormTrace* trace) {
  const std::int64_t T = qkv.size(0), N = s.heads + s.kv_heads;
  if (trace) {
    trace->qk = qkv.narrow(1, 0, N * s.dim).clone(at::MemoryFormat::Contiguous);
    trace->rstd = at::empty({T, N}, qkv.options().dtype(at::kFloat));
  }
  cuda::head_norm(numbers(qkv), floats(q_weight), floats(k_weight), static_cast<float>(eps),
                  trace ? floats(trace->rstd) : nullptr, T, qkv.stride(0), s.heads, s.kv_heads,
                  s.dim, stream());
}

void head_norm_backward(at::Tensor dqkv, const at::Tensor& q_weight, const at::Tensor& k_weight,
                        const HeadShape& s, const HeadNormTrace& trace, at::Tensor dq_weight,
                        at::Tensor dk_weight) {
  const std::int64_t T = dqkv.size(0), N = s.heads + s.kv_heads;
  // The weights first, since the gradient is overwritten.
  if (dq_weight.defined() || dk_weight.defined()) {
    const auto each = dqkv.narrow(1, 0, N * s.dim).view({T, N, s.dim}).to(at::kFloat) *
                      trace.qk.view({T, N, s.dim}) * trace.rstd.unsqueeze(-1);
    if (dq_weight.defined()) dq_weight.add_(each.narrow(1, 0, s.heads).sum(at::IntArrayRef{0, 1}));
    if (dk_weight.defined())
      dk_weight.add_(each.narrow(1, s.heads, s.kv_heads).sum(at::IntArrayRef{0, 1}));
  }
  cuda::head_norm_backward(numbers(dqkv), numbers(trace.qk), floats(q_weight), floats(k_weight),
                           floats(trace.rstd), T, dqkv.stride(0), s.heads, s.kv_heads, s.dim,
                           stream());
}

LogitRows token_logprobs(const at::Tensor& logits, const at::Tensor& targets, double temperature) {
  const auto column = [&] { return at::empty({logits.size(0)}, logits.options()); };
  LogitRows rows{column(), column(), column(), column()};
  cuda::token_logprobs(floats(logits), targets.const_data_ptr<std::int64_t>(),
                       static_cast<float>(1 / temperature), floats(rows.lse), floats(rows.logprobs),
                       floats(rows.entropy), floats(rows.likeliest), logits.size(0), logits.size(1),
                       stream());
  return rows;
}

at::Tensor token_logprobs_backward(at::Tensor logits, const at::Tensor& targets, double temperature,
                                   const at::Tensor& lse, const at::Tensor& dlogprobs,
                                   const at::Tensor& entropy, const at::Tensor& dentropy,
                                   at::ScalarType type) {
  auto out = type == logits.scalar_type() ? logits
                                          : at::empty(logits.sizes(), logits.options().dtype(type));
  cuda::token_logprobs_backward(
      floats(logits), numbers(out), targets.const_data_ptr<std::int64_t>(),
      static_cast<float>(1 / temperature), floats(lse), floats(dlogprobs),
      dentropy.defined() ? floats(entropy) : nullptr,
      dentropy.defined() ? floats(dentropy) : nullptr, logits.size(0), logits.size(1), stream());
  return out;
}

}  // namespace hone::rl::cuda
