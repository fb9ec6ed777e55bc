// A step's metrics over pairs: sums over all of them, divided once at the end. Never a mean of
// means.
#pragma once

#include <cstdint>
#include <vector>

#include "rl/data/pairs.h"
#include "rl/loss/preference.h"
#include "rl/train/observer.h"

namespace hone::rl {

class PairMetrics {
 public:
  /// A micro-batch's pairs: the loss's parts, the rows' weights [B], the summed log-probabilities
  /// of both sides [B].
  void add(const PreferenceLoss& loss, const at::Tensor& weight, const at::Tensor& logp_chosen,
           const at::Tensor& logp_rejected, const std::vector<Pair>& pairs,
           const std::vector<std::int64_t>& rows);

  std::int64_t loss_tokens() const { return chosen_tokens_ + rejected_tokens_; }
  std::int64_t strict() const { return strict_; }  ///< pairs that are no ties
  double right() const { return right_; }  ///< of them ranked right; an equal reward is half
  double accuracy() const { return strict_ ? right_ / static_cast<double>(strict_) : 0; }
  /// The weighted mean, with nll_coefficient times the chosen tokens' mean of -log pi.
  double loss(double nll_coefficient) const;
  /// `loss` and pref/*: accuracy, margin, reward, logp, logp_token of both sides.
  Values values(double nll_coefficient) const;

 private:
  std::int64_t pairs_ = 0, strict_ = 0, chosen_tokens_ = 0, rejected_tokens_ = 0;
  double weight_ = 0, loss_ = 0, right_ = 0, reward_chosen_ = 0, reward_rejected_ = 0,
         logp_chosen_ = 0, logp_rejected_ = 0, log_odds_ = 0;
  bool odds_ = false;
};

}  // namespace hone::rl
