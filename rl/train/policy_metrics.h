// A policy step's metrics: sums over all its tokens, divided once at the end.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "rl/loss/policy_gradient.h"
#include "rl/train/observer.h"

namespace hone::rl {

/// Mean and extremes of numbers, and their standard deviation, in f64.
struct Spread {
  double mean = 0, std = 0, min = 0, max = 0;
};
Spread spread_of(const std::vector<double>& values);
/// The value below which `share` of them lie; 0 of none.
double quantile(std::vector<double> values, double share);

class PolicyMetrics {
 public:
  /// Of one micro-batch: the loss's parts, what the tokens' weights made of it, and per token the
  /// entropy, the log-probability and that of the drawing.
  void add(const PolicyLoss& loss, double weighted, const at::Tensor& mask,
           const at::Tensor& entropy, const at::Tensor& lp, const at::Tensor& old,
           const at::Tensor& sampled);
  /// The sampler correction's weights of tokens.
  void add_corrected(const at::Tensor& weights, const at::Tensor& mask);
  void add_value(double loss, double clipped) {
    value_loss_ += loss;
    value_clipped_ += clipped;
  }

  double loss() const { return loss_; }
  std::int64_t tokens() const { return tokens_; }
  /// `first`: the weights are still those that drew the answers.
  Values values(bool first, bool with_value) const;

 private:
  double loss_ = 0, ratio_ = 0, entropy_ = 0, low_ = 0, high_ = 0, dual_ = 0, old_kl_ = 0,
         ratio_min_ = 1, ratio_max_ = 1, first_dev_ = 0, value_loss_ = 0, value_clipped_ = 0;
  std::int64_t tokens_ = 0;
  std::vector<double> gap_;        ///< |lp - sampled|
  std::vector<double> corrected_;  ///< weights of the sampler correction; empty without
};

}  // namespace hone::rl
