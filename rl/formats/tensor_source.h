// Weights by name, whatever file they lie in.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace hone::rl {

/// One tensor of a file: its Hugging Face name, the type it is stored in ("F32", "BF16", "Q4_1"
/// ...) and its row-major shape.
struct TensorInfo {
  std::string name;
  std::string dtype;
  std::vector<std::int64_t> shape;
};

/// Read-only weights. Const calls are safe from several threads at once.
class TensorSource {
 public:
  virtual ~TensorSource() = default;

  /// In the file's order.
  virtual const std::vector<TensorInfo>& tensors() const = 0;

  /// The tensor as contiguous f32 in fresh memory that the caller owns: dequantised, and with rows
  /// in Hugging Face's order. NotFound for an unknown name, Invalid for a type that is no number.
  virtual at::Tensor read_f32(const std::string& name) const = 0;
};

}  // namespace hone::rl
