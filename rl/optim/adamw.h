// AdamW over a model's trainable weights, through libtorch's fused kernel, with clipping by global
// norm.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "rl/formats/safetensors.h"
#include "rl/model/model.h"

namespace hone::rl {

struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;  ///< added after bias correction, as PyTorch does
  double weight_decay = 0;
  double max_grad_norm = 1.0;  ///< 0: no clipping
};

/// Decoupled weight decay regularization, Loshchilov & Hutter 2019 (arXiv:1711.05101), algorithm 2.
/// Holds m and v of every weight, and the count of steps taken. The weights must outlive it. Rows
/// of a looked-up weight whose gradient, m and v are zero are left where they are, but for the
/// decay: that is what the formula makes of them.
class AdamW {
 public:
  AdamW(std::vector<NamedWeight> weights, const AdamWOptions& options);

  /// Applies the gradients at this learning rate and sets them to zero. Returns their global norm
  /// before clipping; when it is not finite nothing is applied (gradients are zeroed all the same).
  double step(double learning_rate);

  std::int64_t steps() const { return steps_; }

  /// m and v by weight name ("m.<name>", "v.<name>"); views, valid until the next step.
  NamedTensors state() const;
  /// Takes m and v over from a checkpoint's tensors; Invalid when one is missing or misshapen.
  void restore(const SafetensorsFile& file, std::int64_t steps);

 private:
  struct Pieces;
  /// By device: a model's weights lie on one, what an objective trains beside it on the CPU.
  std::map<at::DeviceType, Pieces> pieces() const;
  void apply(Pieces& pieces, double norm, double learning_rate) const;

  std::vector<NamedWeight> weights_;
  AdamWOptions options_;
  std::vector<at::Tensor> m_, v_;
  std::int64_t steps_ = 0;
};

}  // namespace hone::rl
