#include "rl/formats/merge.h"

#include <cmath>

namespace hone::rl {

MergedWeights::MergedWeights(const TensorSource& base, const LoraFile& lora)
    : base_(base),
      scale_(lora.alpha / (lora.rank_stabilised ? std::sqrt(static_cast<double>(lora.rank))
                                                : static_cast<double>(lora.rank))),
      score_(lora.score),
      factors_(lora.tensors.begin(), lora.tensors.end()) {}

at::Tensor MergedWeights::read_f32(const std::string& name) const {
  if (name == "score.weight" && score_.defined()) return score_.clone();
  auto weight = base_.read_f32(name);
  const std::string ending = ".weight";
  if (!name.ends_with(ending)) return weight;
  const auto module = "base_model.model." + name.substr(0, name.size() - ending.size());
  const auto a = factors_.find(module + ".lora_A.weight");
  if (a == factors_.end()) return weight;
  const auto& b = factors_.at(module + ".lora_B.weight");
  return weight.addmm_(b, a->second, 1, scale_);
}

}  // namespace hone::rl
