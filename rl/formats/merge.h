// A base and an adapter as one set of weights.
#pragma once

#include <map>
#include <string>

#include "rl/formats/export.h"
#include "rl/formats/tensor_source.h"

namespace hone::rl {

/// The base's weights with W + scale * B A where the adapter has a target, computed in f32 as each
/// is read, and a reward adapter's own score head. `base` must outlive it; the adapter must have
/// passed check_lora.
class MergedWeights : public TensorSource {
 public:
  MergedWeights(const TensorSource& base, const LoraFile& lora);
  const std::vector<TensorInfo>& tensors() const override { return base_.tensors(); }
  at::Tensor read_f32(const std::string& name) const override;

 private:
  const TensorSource& base_;
  double scale_;
  at::Tensor score_;
  std::map<std::string, at::Tensor> factors_;  // by PEFT's name
};

}  // namespace hone::rl
