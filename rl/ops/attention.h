// Causal attention over packed segments in which several responses share one prompt.
//
// A segment's tokens lie as [prompt | response 1 | ... | response G]. A response's token sees the
// prompt and its own response up to itself, nothing of its siblings: exactly what it would see if
// prompt + response stood alone, with the prompt computed once. No padding exists anywhere. On the
// CPU in f32 or f64: libtorch's flash operator reaches a quarter of what blocks of small products
// do here. On a CUDA device by the varlen flash kernel (rl/ops/cuda/attention.cpp).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace hone::rl {

namespace cuda {
struct SegmentIndex;
}

struct Segment {
  std::int64_t start = 0;               ///< row of its first token
  std::int64_t prompt = 0;              ///< tokens of the shared prompt, at least 1
  std::vector<std::int64_t> responses;  ///< tokens of each response's part; may be 0

  std::int64_t tokens() const;
};

/// Segments that lie end to end.
class Segments {
 public:
  Segments() = default;
  Segments(std::vector<Segment> list) : list_(std::move(list)) {}  // NOLINT: a list is segments

  auto begin() const { return list_.begin(); }
  auto end() const { return list_.end(); }
  std::size_t size() const { return list_.size(); }
  const Segment& operator[](std::size_t i) const { return list_[i]; }
  void push_back(Segment segment) { list_.push_back(std::move(segment)); }

  /// As a device's kernel takes them, made when they are first attended to there.
  mutable std::shared_ptr<const cuda::SegmentIndex> on_device;

 private:
  std::vector<Segment> list_;
};

struct HeadShape {
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t dim = 0;
  std::int64_t window = 0;  ///< a query sees the last `window` keys, its own included; 0: all
};

/// What the backward pass needs beside its inputs.
struct AttentionTrace {
  at::Tensor lse;             // [heads, T]: log-sum-exp of each query's scores
  at::Tensor random, unused;  // what the flash kernel's backward pass wants back
};

/// qkv [T, (heads + 2 kv_heads) * dim], positions already turned in: q, k, v side by side.
/// Returns [T, heads * dim].
at::Tensor attention(const at::Tensor& qkv, const Segments& segments, const HeadShape& shape,
                     AttentionTrace* trace = nullptr);

/// The gradient of qkv, [T, (heads + 2 kv_heads) * dim], from that of the output and the output
/// itself.
at::Tensor attention_backward(const at::Tensor& dout, const at::Tensor& qkv, const at::Tensor& out,
                              const Segments& segments, const HeadShape& shape,
                              const AttentionTrace& trace);

}  // namespace hone::rl
