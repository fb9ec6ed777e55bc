#include "rl/train/advantages_of.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "rl/loss/advantages.h"
#include "rl/train/policy_metrics.h"

namespace hone::rl {
namespace {

using Settings = feedback::Settings;

/// log policy - log reference of every token, [N]; zeros without a reference.
std::vector<double> k1_of(const Rollout& r) {
  std::vector<double> out(r.tokens.size(), 0.0);
  if (r.ref.empty()) return out;
  const auto& lp = r.old.empty() ? r.sampled : r.old;
  for (std::size_t t = 0; t < out.size(); ++t) out[t] = static_cast<double>(lp[t]) - r.ref[t];
  return out;
}

/// Puts `value` at every token of an answer.
template <class T>
void fill(std::vector<T>& per_token, const Rollout& r, const std::vector<std::int64_t>& starts,
          std::size_t answer, T value) {
  std::fill_n(per_token.begin() + starts[answer], r.lengths[answer], value);
}

/// Against the other answers to the same prompt: a number an answer, [B].
std::vector<double> against_group(Rollout& r, const std::vector<double>& totals,
                                  const Settings& settings, Values& values) {
  const auto& kind = settings.word("advantage");
  const auto mode = kind == "group_std"    ? GroupAdvantage::GroupStd
                    : kind == "group_mean" ? GroupAdvantage::GroupMean
                                           : GroupAdvantage::GroupLoo;
  const auto G = static_cast<std::size_t>(settings.integer("group_size"));
  const auto starts = r.starts();
  std::vector<double> out;
  double flat = 0;
  for (std::size_t first = 0; first < totals.size(); first += G) {
    const auto group = group_advantages(std::span(totals).subspan(first, G), mode);
    flat += group.flat;
    for (std::size_t g = 0; g < G; ++g) {
      out.push_back(group.values[g]);
      fill(r.advantages, r, starts, first + g, group.values[g]);
      if (group.flat && settings.flag("dynamic_sampling"))
        fill(r.mask, r, starts, first + g, std::uint8_t{0});
    }
  }
  values.emplace_back("rl/group/zero_std", flat / static_cast<double>(totals.size() / G));
  return out;
}

/// Along the answer's own tokens: by values where there are some, else the return itself.
void along_answer(Rollout& r, const std::vector<double>& token_rewards, const GaeOptions& trace) {
  const auto starts = r.starts();
  const bool critic = !r.values.empty();
  if (critic) r.returns.assign(r.tokens.size(), 0);
  for (std::size_t i = 0; i < r.prompt.size(); ++i) {
    if (std::isnan(r.scores[i])) {  // nobody said what it is worth
      fill(r.mask, r, starts, i, std::uint8_t{0});
      continue;
    }
    const auto from = starts[i], to = starts[i + 1];
    std::vector<double> rewards(token_rewards.begin() + from, token_rewards.begin() + to);
    std::vector<double> V(rewards.size(), 0.0);
    if (critic) V.assign(r.values.begin() + from, r.values.begin() + to);
    rewards.back() += r.scores[i];
    const auto out = gae(rewards, V, trace);
    std::copy(out.advantages.begin(), out.advantages.end(), r.advantages.begin() + from);
    if (critic) std::copy(out.returns.begin(), out.returns.end(), r.returns.begin() + from);
  }
}

void tell_kl(const Rollout& r, double kl_coefficient, Values& values) {
  if (r.ref.empty()) return;
  const double kl = mean_kl(r);
  const auto N = static_cast<double>(std::max<std::size_t>(r.tokens.size(), 1));
  values.emplace_back("rl/kl/seq", kl);
  values.emplace_back("rl/kl/token", kl * static_cast<double>(r.answers()) / N);
  values.emplace_back("rl/kl/coef", kl_coefficient);
}

void tell_values(const Rollout& r, Values& values) {
  if (r.values.empty()) return;
  const std::vector<double> V(r.values.begin(), r.values.end());
  std::vector<double> rest;
  for (std::size_t t = 0; t < V.size(); ++t) rest.push_back(r.returns[t] - V[t]);
  const double variance = std::pow(spread_of(r.returns).std, 2);
  values.emplace_back("value/mean", spread_of(V).mean);
  if (variance > 0)
    values.emplace_back("value/explained_variance",
                        1 - std::pow(spread_of(rest).std, 2) / variance);
}

}  // namespace

double mean_kl(const Rollout& r) {
  double sum = 0;
  for (const double k1 : k1_of(r)) sum += k1;
  return sum / static_cast<double>(r.answers());
}

void compare(Rollout& r, const Settings& settings, KlPlace place, double kl_coefficient,
             Values& values) {
  const auto starts = r.starts();
  const auto k1 = k1_of(r);
  const auto N = r.tokens.size();
  r.mask.assign(N, 1);
  r.advantages.assign(N, 0);
  const bool in_reward = place == KlPlace::Reward || place == KlPlace::RewardPre;
  std::vector<double> totals, scored;  // the score, less the KL where that is part of the reward
  for (std::size_t i = 0; i < r.prompt.size(); ++i) {
    double kl = 0;
    for (auto t = starts[i]; t < starts[i + 1]; ++t) kl += k1[static_cast<std::size_t>(t)];
    totals.push_back(r.scores[i] - (in_reward ? kl_coefficient * kl : 0));
    if (!std::isnan(totals[i])) scored.push_back(totals[i]);
    if (r.truncated[i] && settings.word("truncated") == "mask")
      fill(r.mask, r, starts, i, std::uint8_t{0});
  }

  std::vector<double> advantages;  // of the metrics, before whitening
  if (settings.word("advantage").starts_with("group")) {
    advantages = against_group(r, totals, settings, values);
    if (place == KlPlace::RewardPost)
      for (std::size_t t = 0; t < N; ++t) r.advantages[t] -= kl_coefficient * k1[t];
  } else {
    const bool critic = settings.word("advantage") == "gae";
    std::vector<double> rewards(N, 0.0);
    if (place == KlPlace::Reward)
      for (std::size_t t = 0; t < N; ++t) rewards[t] = -kl_coefficient * k1[t];
    along_answer(r, rewards,
                 critic ? GaeOptions{settings.number("gae_gamma"), settings.number("gae_lambda")}
                        : GaeOptions{1, 1});
    advantages = r.advantages;
    if (!critic || settings.flag("whiten")) r.advantages = whiten(r.advantages, r.mask);
  }

  const auto spread = spread_of(advantages);
  values.emplace_back("rl/reward", spread_of(scored).mean);
  values.emplace_back("rl/adv/mean", spread.mean);
  values.emplace_back("rl/adv/std", spread.std);
  tell_kl(r, kl_coefficient, values);
  tell_values(r, values);
}

}  // namespace hone::rl
