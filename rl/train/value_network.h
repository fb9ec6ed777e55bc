// PPO's value network: a model of its own with a scalar head, its own optimizer, clip and rate.
#pragma once

#include <cstdint>

#include "rl/model/model.h"
#include "rl/model/score.h"
#include "rl/optim/adamw.h"
#include "rl/train/spec.h"

namespace hone::rl {

/// Values are (head - offset) * scale: in the reward's own units when it begins as a reward model.
class ValueNetwork {
 public:
  /// `model` has a score head; with an adapter in the spec, head and adapter train.
  ValueNetwork(Model model, const TrainSpec& spec, double offset, double scale);

  /// Of the state before each response token, [N] f32.
  at::Tensor values(const Packed& packed) const;

  struct Sums {
    double loss = 0, clipped = 0;  ///< summed over tokens
  };
  /// Forward and backward of one micro-batch; `tokens` count the whole step's.
  Sums accumulate(const Packed& packed, const at::Tensor& old_values, const at::Tensor& returns,
                  const at::Tensor& mask, std::int64_t tokens);
  /// Applies the step's gradients. Their norm before clipping.
  double step(double share);

  NamedTensors state() const;
  void restore(const SafetensorsFile& file);

 private:
  std::vector<NamedWeight> weights();

  Model model_;
  double offset_, scale_, rate_, clip_;
  bool checkpointed_;
  AdamW optimizer_;
};

}  // namespace hone::rl
