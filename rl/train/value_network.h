// PPO's value network: a model of its own with a scalar head, its own optimizer, clip and rate.
#pragma once

#include <cstdint>

#include "rl/model/model.h"
#include "rl/model/score.h"
#include "rl/optim/adamw.h"
#include "rl/train/spec.h"

namespace hone::rl {

/// Values are (head - offset) * scale: in the reward's own units when it begins as a reward model.
/// One that begins with a head of zeros is first told what answers are worth on average: else its
/// error, the same for all, would pass down an answer as GAE decays and stand for credit, until
/// value_clip had let it go (initialisation bias: Yuan et al. 2025, arXiv:2503.01491).
class ValueNetwork {
 public:
  /// `model` has a score head; with an adapter in the spec, head and adapter train.
  ValueNetwork(Model model, const TrainSpec& spec, double offset, double scale);

  void begin_at(double mean_score) { offset_ = -mean_score; }

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
