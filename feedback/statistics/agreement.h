// How far judges agree beyond chance. Each number says when it is undefined instead of guessing.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace hone::feedback {

/// The distance between two values.
enum class Scale { Nominal, Ordinal, Interval };

/// The values that judges gave to one item; in any order.
using Unit = std::vector<double>;

struct Interval {
  double low = 0;
  double high = 0;
};

struct Agreement {
  std::optional<double> alpha;  ///< empty when there is nothing to compare or everything is equal
  std::int64_t items = 0;       ///< with two answers or more: the others say nothing
  std::int64_t answers = 0;     ///< on those items
};

/// Krippendorff's alpha, 1 - D_o/D_e over coincidences o_ck = sum over units of pairs(c,k)/(m_u-1)
/// (Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability"). 1 is perfect, 0 is chance;
/// 0.8 and above is read as firm, from 0.667 as tentative.
/// Edge: all answers equal leave no expected disagreement: undefined, not 1.
Agreement krippendorff_alpha(const std::vector<Unit>& units, Scale scale);

/// 95 % percentile interval of alpha, resampling items. `below(n)` draws from 0..n-1. Rounds whose
/// alpha is undefined are left out; empty when more than half of them are.
std::optional<Interval> alpha_interval(const std::vector<Unit>& units, Scale scale, int rounds,
                                       const std::function<std::size_t(std::size_t n)>& below);

/// Two judges over the same items; table[i][j] = items that the first called i, the second j.
using Table = std::vector<std::vector<double>>;

/// (p_o - p_e)/(1 - p_e) with p_e from both judges' own margins (Cohen 1960). Undefined when p_e
/// = 1.
std::optional<double> cohen_kappa(const Table& table);

/// The same with p_e = sum pi_k (1 - pi_k)/(q - 1), pi_k the mean margin (Gwet 2008): stands beside
/// every kappa, which falls below 0 at 90 % agreement when one answer is rare.
std::optional<double> gwet_ac1(const Table& table);

}  // namespace hone::feedback
