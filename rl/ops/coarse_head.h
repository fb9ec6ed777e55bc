// The logits of a decode step in bf16 mode, at half the reading of the f32 head, which is a third
// of a small model's. A copy of the head in bf16 says which tokens are likely; the logits of those,
// 256 at most, are computed again from the f32 weights, with the f32 product's own bits. The others
// are off by some thousandths of a nat, each its own way, and their sum by far less: a
// log-probability divided by the sum over all is within some ten-thousandths of the f32 head's,
// where the blocks' own bf16 products move it by hundredths.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

namespace hone::rl {

class CoarseHead {
 public:
  /// weight [V,C] f32, which the head keeps.
  explicit CoarseHead(const at::Tensor& weight);

  /// hidden [B,C], B at most most_few_rows, to [B,V]; likely is what lies near a row's largest in
  /// units of its temperature, `temperatures` [B].
  at::Tensor logits(const at::Tensor& hidden, std::span<const double> temperatures) const;

  /// The f32 logit of one token: equal, to the bit, to a refined one.
  float exact(const float* hidden, std::int64_t id) const;

 private:
  void refine(const float* hidden, double temperature, float* row) const;

  at::Tensor weight_, coarse_;
};

}  // namespace hone::rl
