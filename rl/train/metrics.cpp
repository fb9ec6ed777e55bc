#include "rl/train/metrics.h"

#include <ATen/core/Tensor.h>

namespace hone::rl {

void PairMetrics::add(const PreferenceLoss& loss, const at::Tensor& weight,
                      const at::Tensor& logp_chosen, const at::Tensor& logp_rejected,
                      const std::vector<Pair>& pairs, const std::vector<std::int64_t>& rows) {
  const auto doubles = [](const at::Tensor& t) { return t.detach().to(at::kDouble).contiguous(); };
  const auto per_pair = doubles(loss.per_pair), a = doubles(loss.reward_chosen),
             b = doubles(loss.reward_rejected), w = doubles(weight), c = doubles(logp_chosen),
             r = doubles(logp_rejected);
  const auto odds = loss.log_odds.defined() ? doubles(loss.log_odds) : at::Tensor();
  odds_ = odds.defined();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto& pair = pairs[static_cast<std::size_t>(rows[i])];
    const double reward_a = a.data_ptr<double>()[i], reward_b = b.data_ptr<double>()[i];
    loss_ += w.data_ptr<double>()[i] * per_pair.data_ptr<double>()[i];
    weight_ += w.data_ptr<double>()[i];
    if (!pair.tie) {
      ++strict_;
      right_ += reward_a > reward_b ? 1 : reward_a == reward_b ? 0.5 : 0;
    }
    reward_chosen_ += reward_a;
    reward_rejected_ += reward_b;
    logp_chosen_ += c.data_ptr<double>()[i];
    logp_rejected_ += r.data_ptr<double>()[i];
    chosen_tokens_ += static_cast<std::int64_t>(pair.chosen.size());
    rejected_tokens_ += static_cast<std::int64_t>(pair.rejected.size());
    if (odds_) log_odds_ += odds.data_ptr<double>()[i];
    ++pairs_;
  }
}

double PairMetrics::loss(double nll_coefficient) const {
  if (pairs_ == 0) return 0;
  return loss_ / weight_ - nll_coefficient * logp_chosen_ / static_cast<double>(chosen_tokens_);
}

Values PairMetrics::values(double nll_coefficient) const {
  if (pairs_ == 0) return {};
  const auto n = static_cast<double>(pairs_);
  Values out = {
      {"loss", loss(nll_coefficient)},
      {"pref/accuracy", accuracy()},
      {"pref/margin", (reward_chosen_ - reward_rejected_) / n},
      {"pref/reward/chosen", reward_chosen_ / n},
      {"pref/reward/rejected", reward_rejected_ / n},
      {"pref/logp/chosen", logp_chosen_ / n},
      {"pref/logp/rejected", logp_rejected_ / n},
      {"pref/logp_token/chosen", logp_chosen_ / static_cast<double>(chosen_tokens_)},
      {"pref/logp_token/rejected", logp_rejected_ / static_cast<double>(rejected_tokens_)}};
  if (odds_) out.emplace_back("orpo/log_odds", log_odds_ / n);
  return out;
}

}  // namespace hone::rl
