// What happens to one token's row at a time: RMSNorm, rotary positions, SwiGLU; forward and
// backward. Tensors are contiguous and of one type, f32 or, on the CPU alone, f64; but what flows
// between products may be stored as they take it, in bf16: a norm's result (`type`), and what
// swiglu is given and gives. Every sum runs in a fixed order at a given thread count.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "rl/formats/config.h"

namespace hone::rl {

/// RMSNorm (Zhang & Sennrich 2019, arXiv:1910.07467): x [T,C] / rms(x) * weight [C].
/// rstd [T] = 1 / rms, wanted by the backward pass, is written when given.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps,
                    at::Tensor* rstd = nullptr, at::ScalarType type = at::kFloat);

/// The norm again from x and its rstd: cheaper than having kept it.
at::Tensor rms_norm_again(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& rstd,
                          at::ScalarType type = at::kFloat);

/// dx [T,C] += the gradient through the norm of dy [T,C]; dweight [C] += its own, when defined.
void rms_norm_backward(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight,
                       const at::Tensor& rstd, at::Tensor dx, at::Tensor dweight);

/// silu(gate) * up of gate_up [T,2F] (gate in front): [T,F].
at::Tensor swiglu(const at::Tensor& gate_up);

/// Turns gate_up [T,2F] into its own gradient, in place, given that of the output, dact [T,F].
/// Returns swiglu(gate_up) as it was, [T,F].
at::Tensor swiglu_backward(const at::Tensor& dact, at::Tensor gate_up);

/// Cosines and sines of rotary positions (Su et al. 2021, arXiv:2104.09864), with the model's
/// scaling.
class Rope {
 public:
  explicit Rope(const ModelConfig& config);

  /// Turns the first `heads` heads of each row of x [T, heads_in_row * D] by their token's position
  /// [T] int64, in place: half-split form, first half with second half. `direction` -1 turns back
  /// (YaRN's attention factor is multiplied in both ways), which is also the gradient.
  void turn(at::Tensor x, const at::Tensor& positions, std::int64_t heads, int direction = 1) const;

  const std::vector<float>& inverse_frequencies() const { return inverse_frequencies_; }

 private:
  void grow(std::int64_t positions) const;

  std::int64_t head_dim_;
  double factor_ = 1;                       // of cosines and sines
  std::vector<float> inverse_frequencies_;  // [D/2]
  mutable std::vector<float> cosines_;      // [positions, D/2], grown as needed
  mutable std::vector<float> sines_;
  mutable at::Tensor on_device_;  // [D/2] f32: inverse frequencies, where x lay on a device
};

}  // namespace hone::rl
