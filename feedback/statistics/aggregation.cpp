#include "feedback/statistics/aggregation.h"

#include <algorithm>
#include <cmath>

namespace hone::feedback {
namespace {

double sigmoid(double x) {
  return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
}

/// Log-odds that the first answer is better, per comparison, under the given rates.
std::vector<double> log_odds(const std::vector<Ballot>& ballots, std::size_t comparisons,
                             const std::vector<bool>& panel, const std::vector<double>& flip) {
  std::vector<double> people(comparisons), critics(comparisons);
  std::vector<int> critic_votes(comparisons);
  for (const auto& ballot : ballots) {
    if (ballot.vote == Vote::Neither) continue;
    const double weight = std::log((1 - flip[ballot.judge]) / flip[ballot.judge]);
    const double signed_weight = ballot.vote == Vote::First ? weight : -weight;
    if (panel[ballot.judge]) {
      critics[ballot.comparison] += signed_weight;
      ++critic_votes[ballot.comparison];
    } else {
      people[ballot.comparison] += signed_weight;
    }
  }
  for (std::size_t i = 0; i < comparisons; ++i)
    if (critic_votes[i]) people[i] += critics[i] / critic_votes[i];
  return people;
}

}  // namespace

OneCoin fit_one_coin(const std::vector<Ballot>& ballots, const std::vector<bool>& fit,
                     const std::vector<bool>& panel, const OneCoinOptions& options) {
  OneCoin out;
  out.flip.assign(panel.size(), options.prior_flip);
  std::vector<double> odds;
  for (int round = 0; round < options.rounds; ++round) {
    odds = log_odds(ballots, fit.size(), panel, out.flip);
    std::vector<double> wrong(panel.size(), options.prior_weight * options.prior_flip);
    std::vector<double> votes(panel.size(), options.prior_weight);
    for (const auto& ballot : ballots) {
      if (ballot.vote == Vote::Neither || !fit[ballot.comparison]) continue;
      const double first = sigmoid(odds[ballot.comparison]);
      wrong[ballot.judge] += ballot.vote == Vote::First ? 1 - first : first;
      votes[ballot.judge] += 1;
    }
    for (std::size_t w = 0; w < panel.size(); ++w)
      out.flip[w] = std::clamp(wrong[w] / votes[w], options.flip_min, options.flip_max);
  }
  odds = log_odds(ballots, fit.size(), panel, out.flip);
  for (const double x : odds) out.p.push_back(sigmoid(x));
  return out;
}

}  // namespace hone::feedback
