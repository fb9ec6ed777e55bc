// From single judgments to one probability per comparison, and to how often each judge is off.
#pragma once

#include <cstddef>
#include <vector>

namespace hone::feedback {

/// Which answer a judgment is for. A tie and a both_bad say nothing about which is better.
enum class Vote { First, Second, Neither };

/// One judgment, by the number of its comparison and of its judge.
struct Ballot {
  std::size_t comparison = 0;
  std::size_t judge = 0;
  Vote vote = Vote::Neither;
};

/// The constants of `one_coin`, frozen in every snapshot's manifest.
struct OneCoinOptions {
  double prior_flip = 0.1;   ///< what is believed of a judge of whom nothing is known
  double prior_weight = 20;  ///< in votes
  double flip_min = 0.02;    ///< nobody is taken to be right always
  double flip_max = 0.45;    ///< above it a judge would carry no information, or the opposite
  int rounds = 100;          ///< fixed, so that the same votes give the same numbers
};

struct OneCoin {
  std::vector<double> p;     ///< per comparison: probability that the first answer is the better
  std::vector<double> flip;  ///< per judge
};

/// `one_coin`: every judge names the better answer and is wrong at one rate of their own, whichever
/// answer is shown first. EM for the one-parameter, swap-symmetric form of Dawid and Skene (1979):
///   E: p_i = sigma(sum over votes of +-log((1 - flip_w)/flip_w)), from even odds
///   M: flip_w = (weight*prior + sum of P(vote is wrong)) / (weight + votes), clamped
/// The rates are fitted on the comparisons with `fit` true alone (the training split); p is then
/// given for all. Votes of judges with `panel` true (critics, whose errors are correlated) weigh
/// together at most as one judge: on each comparison their log-odds are averaged.
/// No vote for either answer, or evenly matched ones, give exactly 0.5.
OneCoin fit_one_coin(const std::vector<Ballot>& ballots, const std::vector<bool>& fit,
                     const std::vector<bool>& panel, const OneCoinOptions& options = {});

}  // namespace hone::feedback
