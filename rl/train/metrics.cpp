#include "rl/train/metrics.h"

#include <ATen/core/Tensor.h>

#include <numeric>

namespace hone::rl {

PairLengths lengths_of(const std::vector<Pair>& pairs) {
  std::vector<std::int64_t> rows(pairs.size());
  std::iota(rows.begin(), rows.end(), 0);
  return lengths_of(pairs, rows);
}

PairLengths lengths_of(const std::vector<Pair>& pairs, const std::vector<std::int64_t>& rows) {
  PairLengths out;
  for (const auto row : rows) {
    const auto& pair = pairs[static_cast<std::size_t>(row)];
    out.chosen.push_back(static_cast<std::int64_t>(pair.chosen.size()));
    out.rejected.push_back(static_cast<std::int64_t>(pair.rejected.size()));
  }
  return out;
}

void PairMetrics::add(const DpoLoss& loss, const at::Tensor& policy_chosen,
                      const at::Tensor& policy_rejected, const PairLengths& lengths) {
  const auto values = [](const at::Tensor& t) { return t.detach().to(at::kDouble).contiguous(); };
  const auto per_pair = values(loss.per_pair), a = values(loss.reward_a), b = values(loss.reward_b);
  const auto c = values(policy_chosen), r = values(policy_rejected);
  for (std::size_t i = 0; i < lengths.chosen.size(); ++i) {
    const double reward_a = a.data_ptr<double>()[i], reward_b = b.data_ptr<double>()[i];
    loss_ += per_pair.data_ptr<double>()[i];
    correct_ += reward_a > reward_b ? 1 : reward_a == reward_b ? 0.5 : 0;
    reward_chosen_ += reward_a;
    reward_rejected_ += reward_b;
    logp_chosen_ += c.data_ptr<double>()[i];
    logp_rejected_ += r.data_ptr<double>()[i];
    chosen_tokens_ += lengths.chosen[i];
    rejected_tokens_ += lengths.rejected[i];
    ++pairs_;
  }
}

double PairMetrics::loss() const { return pairs_ ? loss_ / static_cast<double>(pairs_) : 0; }

double PairMetrics::accuracy() const { return pairs_ ? correct_ / static_cast<double>(pairs_) : 0; }

Values PairMetrics::values() const {
  if (pairs_ == 0) return {};
  const auto n = static_cast<double>(pairs_);
  return {{"loss", loss()},
          {"pref/accuracy", accuracy()},
          {"pref/margin", (reward_chosen_ - reward_rejected_) / n},
          {"pref/reward/chosen", reward_chosen_ / n},
          {"pref/reward/rejected", reward_rejected_ / n},
          {"pref/logp/chosen", logp_chosen_ / n},
          {"pref/logp/rejected", logp_rejected_ / n},
          {"pref/logp_token/chosen", logp_chosen_ / static_cast<double>(chosen_tokens_)},
          {"pref/logp_token/rejected", logp_rejected_ / static_cast<double>(rejected_tokens_)}};
}

}  // namespace hone::rl
