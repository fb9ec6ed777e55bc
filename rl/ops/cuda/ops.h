// The ops of rl/ops on tensors that lie on a CUDA device; those files say what each does and call
// these. Activations between a block's products are f32 or bf16, whichever the products take;
// residuals, norms' statistics, logits and gradients of weights are f32.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "rl/ops/attention.h"
#include "rl/ops/head.h"
#include "rl/ops/head_norm.h"

namespace hone::rl::cuda {

// rowwise.h. `type`: what the norm's result is written as.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps, at::Tensor* rstd,
                    at::ScalarType type);
at::Tensor rms_norm_again(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& rstd,
                          at::ScalarType type);
void rms_norm_backward(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight,
                       const at::Tensor& rstd, at::Tensor dx, at::Tensor dweight);
at::Tensor swiglu(const at::Tensor& gate_up);
at::Tensor swiglu_backward(const at::Tensor& dact, at::Tensor gate_up);
/// frequencies [dim/2] f32 on the device.
void turn(at::Tensor x, const at::Tensor& positions, const at::Tensor& frequencies, double factor,
          std::int64_t heads, int direction);

// head_norm.h
void head_norm(at::Tensor qkv, const at::Tensor& q_weight, const at::Tensor& k_weight,
               const HeadShape& shape, double eps, HeadNormTrace* trace);
void head_norm_backward(at::Tensor dqkv, const at::Tensor& q_weight, const at::Tensor& k_weight,
                        const HeadShape& shape, const HeadNormTrace& trace, at::Tensor dq_weight,
                        at::Tensor dk_weight);

// attention.h
at::Tensor attention(const at::Tensor& qkv, const Segments& segments, const HeadShape& shape,
                     AttentionTrace* trace);
at::Tensor attention_backward(const at::Tensor& dout, const at::Tensor& qkv, const at::Tensor& out,
                              const Segments& segments, const HeadShape& shape,
                              const AttentionTrace& trace);

// matmul.h. Operands of one type, f32 or bf16.
/// x [m,k] times w [n,k] transposed, [m,n] of the operands' type.
at::Tensor matmul_nt(const at::Tensor& x, const at::Tensor& w);
/// base [m,n] f32 += the same, unrounded.
void add_matmul_nt_to(at::Tensor base, const at::Tensor& x, const at::Tensor& w);
/// x [m,k] times w [n,k] transposed, [m,n] f32 whatever the operands.
at::Tensor matmul_nt_f32(const at::Tensor& x, const at::Tensor& w);
/// Whether the two below take x [m,k] f32 with such a w: few rows, of bf16 products.
bool takes_norm_along(const at::Tensor& x, const at::Tensor& w);
/// matmul_nt of rms_norm(x), in one kernel: bf16 or f32 (unrounded).
at::Tensor norm_matmul_nt(const at::Tensor& x, const at::Tensor& norm, double eps,
                          const at::Tensor& w, at::ScalarType type);
/// swiglu of it, for w [2F,k] gate and up: [m,F] bf16.
at::Tensor norm_matmul_swiglu(const at::Tensor& x, const at::Tensor& norm, double eps,
                              const at::Tensor& w);
/// into [n,k] f32 += scale * y [m,n] transposed times x [m,k].
void accumulate_tn(at::Tensor into, const at::Tensor& y, const at::Tensor& x, double scale);

// head.h, of rows of logits that are there
struct LogitRows {
  at::Tensor lse, logprobs, entropy, likeliest;  // [n] f32
};
LogitRows token_logprobs(const at::Tensor& logits, const at::Tensor& targets, double temperature);
/// The logits' gradient in `type`; spends the logits where that is f32.
at::Tensor token_logprobs_backward(at::Tensor logits, const at::Tensor& targets, double temperature,
                                   const at::Tensor& lse, const at::Tensor& dlogprobs,
                                   const at::Tensor& entropy, const at::Tensor& dentropy,
                                   at::ScalarType type);

}  // namespace hone::rl::cuda
