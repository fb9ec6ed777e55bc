#include "rl/train/policy_metrics.h"

#include <algorithm>
#include <cmath>

namespace hone::rl {

Spread spread_of(const std::vector<double>& values) {
  Spread s;
  if (values.empty()) return s;
  const auto n = static_cast<double>(values.size());
  for (const double v : values) s.mean += v / n;
  for (const double v : values) s.std += (v - s.mean) * (v - s.mean);
  s.std = values.size() > 1 ? std::sqrt(s.std / (n - 1)) : 0;
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  s.min = *low;
  s.max = *high;
  return s;
}

double quantile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  const auto at = std::min(values.size() - 1,
                           static_cast<std::size_t>(share * static_cast<double>(values.size())));
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
  return values[at];
}

void PolicyMetrics::add(const PolicyLoss& loss, double weighted, const at::Tensor& mask,
                        const at::Tensor& entropy, const at::Tensor& lp, const at::Tensor& old,
                        const at::Tensor& sampled) {
  loss_ += weighted;
  const auto doubles = [](const at::Tensor& t) { return t.detach().to(at::kDouble).contiguous(); };
  const auto m = doubles(mask), r = doubles(loss.ratio), e = doubles(entropy), l = doubles(lp),
             o = doubles(old), s = doubles(sampled), low = doubles(loss.clip_low),
             high = doubles(loss.clip_high), dual = doubles(loss.dual);
  const auto at = [](const at::Tensor& t, std::int64_t i) { return t.const_data_ptr<double>()[i]; };
  for (std::int64_t i = 0; i < m.numel(); ++i) {
    if (at(m, i) == 0) continue;
    const double ratio = at(r, i);
    ratio_min_ = tokens_ == 0 ? ratio : std::min(ratio_min_, ratio);
    ratio_max_ = tokens_ == 0 ? ratio : std::max(ratio_max_, ratio);
    ratio_ += ratio;
    first_dev_ = std::max(first_dev_, std::abs(ratio - 1));
    entropy_ += at(e, i);
    low_ += at(low, i);
    high_ += at(high, i);
    dual_ += at(dual, i);
    const double moved = at(o, i) - at(l, i);  // k3 of old against new
    old_kl_ += std::expm1(-moved) + moved;
    gap_.push_back(std::abs(at(l, i) - at(s, i)));
    ++tokens_;
  }
}

void PolicyMetrics::add_corrected(const at::Tensor& weights, const at::Tensor& mask) {
  const auto w = weights.to(at::kDouble).contiguous(), m = mask.to(at::kDouble).contiguous();
  for (std::int64_t i = 0; i < w.numel(); ++i)
    if (m.const_data_ptr<double>()[i] != 0) corrected_.push_back(w.const_data_ptr<double>()[i]);
}

Values PolicyMetrics::values(bool first, bool with_value) const {
  const auto n = static_cast<double>(std::max<std::int64_t>(tokens_, 1));
  Values out = {{"loss", loss_},
                {"rl/entropy", entropy_ / n},
                {"rl/ratio/min", ratio_min_},
                {"rl/ratio/mean", tokens_ ? ratio_ / n : 1},
                {"rl/ratio/max", ratio_max_},
                {"rl/clip/low", low_ / n},
                {"rl/clip/high", high_ / n},
                {"rl/clip/dual", dual_ / n},
                {"rl/old_kl", old_kl_ / n}};
  if (first) {
    const auto gap = spread_of(gap_);
    out.emplace_back("rl/ratio/first_dev", first_dev_);
    out.emplace_back("rl/sampler_gap/mean", gap.mean);
    out.emplace_back("rl/sampler_gap/p99", quantile(gap_, 0.99));
    out.emplace_back("rl/sampler_gap/max", gap.max);
  }
  if (!corrected_.empty()) out.emplace_back("rl/sampler_weight/mean", spread_of(corrected_).mean);
  if (with_value) {
    out.emplace_back("value/loss", value_loss_ / n);
    out.emplace_back("value/clip", value_clipped_ / n);
  }
  return out;
}

}  // namespace hone::rl
