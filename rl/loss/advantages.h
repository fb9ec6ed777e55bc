// Advantages: how much better a response, or a token of it, did than was to be expected. Numbers of
// a whole rollout, in f64; no gradient flows through any of them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace hone::rl {

enum class GroupAdvantage {
  GroupStd,  ///< (R - mean) / (std + 1e-4), std unbiased. GRPO, Shao et al. 2024 (arXiv:2402.03300)
  GroupMean,  ///< R - mean. Dr. GRPO, Liu et al. 2025 (arXiv:2503.20783)
  GroupLoo,   ///< R - mean of the others. RLOO, Ahmadian et al. 2024 (arXiv:2402.14740)
};

struct GroupAdvantages {
  std::vector<double> values;   ///< [G], in the rewards' order
  std::int64_t unscorable = 0;  ///< rewards that were not finite
  bool flat = false;            ///< no signal: all equal, or fewer than two scored
};

/// Advantages of the responses to one prompt, against each other.
///
/// rewards [G]  one per response, in any unit; NaN where no critic gave a verdict. Those (and
///              infinite ones) stay out of the baseline and get 0.
/// Edge: a group whose least and greatest reward are equal gets exactly 0, by comparison: the mean
/// of eight rewards of 1.3 is not 1.3, and a std near 0 would make an advantage of the residue.
GroupAdvantages group_advantages(std::span<const double> rewards, GroupAdvantage mode);

struct GaeOptions {
  double gamma = 1;
  double lambda = 0.95;
};

struct Gae {
  std::vector<double> advantages, returns;  ///< [R] each; returns = advantages + values
};

/// Generalised advantage estimation of one sequence. Schulman et al. 2015 (arXiv:1506.02438), eq.
/// 16: delta_t = r_t + gamma V_{t+1} - V_t, A_t = delta_t + gamma lambda A_{t+1}; V after the last
/// token is 0, for truncated responses too.
///
/// rewards, values  [R]  of the response's tokens; values of the state before each
/// mask             [R]  0 on tokens the policy did not write (a tool's answer); empty: all count.
///                       Those are skipped, the value and the sum after them carried across: they
///                       get advantage 0 and their own value as return, and a reward given there
///                       is not seen.
/// Returns are taken before any whitening: a value network trained on whitened ones learns noise.
Gae gae(std::span<const double> rewards, std::span<const double> values,
        const GaeOptions& options = {}, std::span<const std::uint8_t> mask = {});

/// (A - mean) / sqrt(variance + 1e-8), variance unbiased, over all tokens of the whole rollout that
/// count (mask as above). The others come back as 0.
/// Edge: all equal, or a single one, gives exactly 0.
std::vector<double> whiten(std::span<const double> advantages,
                           std::span<const std::uint8_t> mask = {});

}  // namespace hone::rl
