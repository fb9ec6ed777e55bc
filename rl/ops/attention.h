// Causal attention over packed segments in which several responses share one prompt.
//
// A segment's tokens lie as [prompt | response 1 | ... | response G]. A response's token sees the
// prompt and its own response up to itself, nothing of its siblings: exactly what it would see if
// prompt + response stood alone, with the prompt computed once. No padding exists anywhere. f32, on
// the CPU: libtorch's flash operator reaches a quarter of what blocks of small products do here.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace hone::rl {

struct Segment {
  std::int64_t start = 0;               ///< row of its first token
  std::int64_t prompt = 0;              ///< tokens of the shared prompt, at least 1
  std::vector<std::int64_t> responses;  ///< tokens of each response's part; may be 0

  std::int64_t tokens() const;
};

struct HeadShape {
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t dim = 0;
  std::int64_t window = 0;  ///< a query sees the last `window` keys, its own included; 0: all
};

/// What the backward pass needs beside its inputs.
struct AttentionTrace {
  at::Tensor lse;  // [heads, T]: log-sum-exp of each query's scores
};

/// qkv [T, (heads + 2 kv_heads) * dim], positions already turned in: q, k, v side by side.
/// Returns [T, heads * dim].
at::Tensor attention(const at::Tensor& qkv, const std::vector<Segment>& segments,
                     const HeadShape& shape, AttentionTrace* trace = nullptr);

/// The gradient of qkv, [T, (heads + 2 kv_heads) * dim], from that of the output and the output
/// itself.
at::Tensor attention_backward(const at::Tensor& dout, const at::Tensor& qkv, const at::Tensor& out,
                              const std::vector<Segment>& segments, const HeadShape& shape,
                              const AttentionTrace& trace);

}  // namespace hone::rl
