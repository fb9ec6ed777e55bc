// A step's metrics: sums over all its pairs, divided once at the end. Never a mean of means.
#pragma once

#include <cstdint>

#include "rl/loss/dpo.h"
#include "rl/train/observer.h"

namespace hone::rl {

class PairMetrics {
 public:
  /// policy_* [B]: summed log-probabilities; *_tokens: response tokens of each pair's sides.
  void add(const DpoLoss& loss, const at::Tensor& policy_chosen, const at::Tensor& policy_rejected,
           const std::vector<std::int64_t>& chosen_tokens,
           const std::vector<std::int64_t>& rejected_tokens);

  std::int64_t pairs() const { return pairs_; }
  std::int64_t loss_tokens() const { return chosen_tokens_ + rejected_tokens_; }
  double loss() const;
  /// `loss` and pref/*: accuracy (a tie counts half), margin, reward, logp, logp_token of both
  /// sides.
  Values values() const;

 private:
  std::int64_t pairs_ = 0, chosen_tokens_ = 0, rejected_tokens_ = 0;
  double loss_ = 0, correct_ = 0, reward_chosen_ = 0, reward_rejected_ = 0, logp_chosen_ = 0,
         logp_rejected_ = 0;
};

}  // namespace hone::rl
