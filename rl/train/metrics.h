// A step's metrics: sums over all its pairs, divided once at the end. Never a mean of means.
#pragma once

#include <cstdint>

#include <vector>

#include "rl/data/pairs.h"
#include "rl/loss/dpo.h"
#include "rl/train/observer.h"

namespace hone::rl {

/// Response tokens of both sides of some pairs.
struct PairLengths {
  std::vector<std::int64_t> chosen, rejected;
};
PairLengths lengths_of(const std::vector<Pair>& pairs);
PairLengths lengths_of(const std::vector<Pair>& pairs, const std::vector<std::int64_t>& rows);

class PairMetrics {
 public:
  /// policy_* [B]: summed log-probabilities.
  void add(const DpoLoss& loss, const at::Tensor& policy_chosen, const at::Tensor& policy_rejected,
           const PairLengths& lengths);

  std::int64_t pairs() const { return pairs_; }
  std::int64_t loss_tokens() const { return chosen_tokens_ + rejected_tokens_; }
  double loss() const;
  double accuracy() const;  ///< a tie counts half
  /// `loss` and pref/*: accuracy (a tie counts half), margin, reward, logp, logp_token of both
  /// sides.
  Values values() const;

 private:
  std::int64_t pairs_ = 0, chosen_tokens_ = 0, rejected_tokens_ = 0;
  double loss_ = 0, correct_ = 0, reward_chosen_ = 0, reward_rejected_ = 0, logp_chosen_ = 0,
         logp_rejected_ = 0;
};

}  // namespace hone::rl
