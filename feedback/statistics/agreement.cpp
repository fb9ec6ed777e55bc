#include "feedback/statistics/agreement.h"

#include <algorithm>
#include <map>

namespace hone::feedback {
namespace {

/// Squared distance between the i-th and j-th value. Ordinal distance is how many answers lie
/// between the two, the ends counting half.
double distance(const std::vector<double>& values, const std::vector<double>& counts, std::size_t i,
                std::size_t j, Scale scale) {
  if (i == j) return 0;
  if (scale == Scale::Nominal) return 1;
  if (scale == Scale::Interval) return (values[i] - values[j]) * (values[i] - values[j]);
  double between = -(counts[i] + counts[j]) / 2;
  for (std::size_t k = std::min(i, j); k <= std::max(i, j); ++k) between += counts[k];
  return between * between;
}

double sum(const std::vector<double>& values) {
  double total = 0;
  for (const double value : values) total += value;
  return total;
}

struct Margins {
  std::vector<double> first, second;
  double total = 0, agreed = 0;
};

Margins margins_of(const Table& table) {
  Margins out{std::vector<double>(table.size()), std::vector<double>(table.size())};
  for (std::size_t i = 0; i < table.size(); ++i)
    for (std::size_t j = 0; j < table.size(); ++j) {
      out.first[i] += table[i][j];
      out.second[j] += table[i][j];
      out.total += table[i][j];
      if (i == j) out.agreed += table[i][j];
    }
  return out;
}

}  // namespace

Agreement krippendorff_alpha(const std::vector<Unit>& units, Scale scale) {
  Agreement out;
  std::map<double, std::size_t> index;
  for (const auto& unit : units)
    if (unit.size() >= 2)
      for (const double value : unit) index.emplace(value, 0);
  std::vector<double> values;
  for (auto& [value, at] : index) {
    at = values.size();
    values.push_back(value);
  }

  // Coincidences o[c][k]: every ordered pair of answers to one item, weighing 1/(m-1).
  const std::size_t size = values.size();
  std::vector<std::vector<double>> o(size, std::vector<double>(size));
  for (const auto& unit : units) {
    if (unit.size() < 2) continue;
    ++out.items;
    out.answers += static_cast<std::int64_t>(unit.size());
    const double weight = 1.0 / static_cast<double>(unit.size() - 1);
    std::vector<double> given(size);
    for (const double value : unit) ++given[index[value]];
    for (std::size_t c = 0; c < size; ++c)
      for (std::size_t k = 0; k < size; ++k)
        o[c][k] += weight * given[c] * (c == k ? given[k] - 1 : given[k]);
  }

  std::vector<double> counts;
  for (const auto& row : o) counts.push_back(sum(row));
  const double n = sum(counts);
  double observed = 0, expected = 0;
  for (std::size_t c = 0; c < size; ++c)
    for (std::size_t k = 0; k < size; ++k) {
      const double d = distance(values, counts, c, k, scale);
      observed += o[c][k] * d;
      expected += counts[c] * counts[k] * d;
    }
  if (expected > 0) out.alpha = 1 - (n - 1) * observed / expected;
  return out;
}

std::optional<Interval> alpha_interval(const std::vector<Unit>& units, Scale scale, int rounds,
                                       const std::function<std::size_t(std::size_t)>& below) {
  std::vector<const Unit*> useful;
  for (const auto& unit : units)
    if (unit.size() >= 2) useful.push_back(&unit);
  if (useful.size() < 2) return std::nullopt;

  std::vector<double> alphas;
  std::vector<Unit> drawn(useful.size());
  for (int round = 0; round < rounds; ++round) {
    for (auto& unit : drawn) unit = *useful[below(useful.size())];
    if (const auto alpha = krippendorff_alpha(drawn, scale).alpha) alphas.push_back(*alpha);
  }
  if (alphas.size() * 2 < static_cast<std::size_t>(rounds) || alphas.empty()) return std::nullopt;
  std::sort(alphas.begin(), alphas.end());
  const auto at = [&](double share) {
    return alphas[static_cast<std::size_t>(share * static_cast<double>(alphas.size() - 1) + 0.5)];
  };
  return Interval{at(0.025), at(0.975)};
}

std::optional<double> cohen_kappa(const Table& table) {
  const Margins m = margins_of(table);
  if (m.total <= 0) return std::nullopt;
  double chance = 0;
  for (std::size_t k = 0; k < table.size(); ++k)
    chance += m.first[k] * m.second[k] / (m.total * m.total);
  if (chance >= 1) return std::nullopt;
  return (m.agreed / m.total - chance) / (1 - chance);
}

std::optional<double> gwet_ac1(const Table& table) {
  const Margins m = margins_of(table);
  if (m.total <= 0 || table.size() < 2) return std::nullopt;
  double chance = 0;
  for (std::size_t k = 0; k < table.size(); ++k) {
    const double share = (m.first[k] + m.second[k]) / (2 * m.total);
    chance += share * (1 - share) / static_cast<double>(table.size() - 1);
  }
  return (m.agreed / m.total - chance) / (1 - chance);
}

}  // namespace hone::feedback
