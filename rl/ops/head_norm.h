// RMSNorm over each head of queries and keys (Qwen3), in place of rows that hold q, k and v side by
// side; forward and backward. f32 or f64 on the CPU.
#pragma once

#include <ATen/core/Tensor.h>

#include "rl/ops/attention.h"

namespace hone::rl {

/// What the backward pass needs.
struct HeadNormTrace {
  at::Tensor qk;    // [T, (heads + kv_heads) * dim] before the norm
  at::Tensor rstd;  // [T, heads + kv_heads]
};

/// Heads of q and k in qkv [T, (heads + 2 kv_heads) * dim] become head / rms(head) * weight [dim].
void head_norm(at::Tensor qkv, const at::Tensor& q_weight, const at::Tensor& k_weight,
               const HeadShape& shape, double eps, HeadNormTrace* trace);

/// dqkv, the gradient of what head_norm gave, becomes that of what it took; those of the weights
/// are added to dq_weight and dk_weight where these are defined.
void head_norm_backward(at::Tensor dqkv, const at::Tensor& q_weight, const at::Tensor& k_weight,
                        const HeadShape& shape, const HeadNormTrace& trace, at::Tensor dq_weight,
                        at::Tensor dk_weight);

}  // namespace hone::rl
