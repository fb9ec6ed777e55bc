#include "rl/loss/advantages.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>

namespace hone::rl {
namespace {

constexpr double kGroupStdFloor = 1e-4;
constexpr double kWhitenFloor = 1e-8;

struct Moments {
  std::int64_t count = 0;
  double mean = 0;
  double variance = 0;  // unbiased
  bool flat = true;     // fewer than two, or all equal: compared, not computed
};

template <class Counts>
Moments moments(std::span<const double> values, Counts counts) {
  Moments out;
  double sum = 0, least = 0, greatest = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!counts(i)) continue;
    least = out.count == 0 ? values[i] : std::min(least, values[i]);
    greatest = out.count == 0 ? values[i] : std::max(greatest, values[i]);
    sum += values[i];
    ++out.count;
  }
  if (out.count == 0) return out;
  out.mean = sum / static_cast<double>(out.count);
  out.flat = least == greatest;
  if (out.flat) return out;
  for (std::size_t i = 0; i < values.size(); ++i)
    if (counts(i)) out.variance += (values[i] - out.mean) * (values[i] - out.mean);
  out.variance /= static_cast<double>(out.count - 1);
  return out;
}

}  // namespace

GroupAdvantages group_advantages(std::span<const double> rewards, GroupAdvantage mode) {
  const auto scored = [&](std::size_t i) { return std::isfinite(rewards[i]); };
  const auto group = moments(rewards, scored);
  GroupAdvantages out{.values = std::vector<double>(rewards.size(), 0.0),
                      .unscorable = static_cast<std::int64_t>(rewards.size()) - group.count,
                      .flat = group.flat};
  if (group.flat) return out;

  const auto g = static_cast<double>(group.count);
  double scale = 1;
  if (mode == GroupAdvantage::GroupStd) scale = 1 / (std::sqrt(group.variance) + kGroupStdFloor);
  // R - (sum - R)/(G-1) = G/(G-1) (R - mean).
  if (mode == GroupAdvantage::GroupLoo) scale = g / (g - 1);
  for (std::size_t i = 0; i < rewards.size(); ++i)
    if (scored(i)) out.values[i] = scale * (rewards[i] - group.mean);
  return out;
}

Gae gae(std::span<const double> rewards, std::span<const double> values, const GaeOptions& options,
        std::span<const std::uint8_t> mask) {
  TORCH_CHECK(rewards.size() == values.size(), "want as many rewards as values");
  TORCH_CHECK(mask.empty() || mask.size() == values.size(), "want as many mask bits as values");
  Gae out{.advantages = std::vector<double>(values.size(), 0.0),
          .returns = std::vector<double>(values.begin(), values.end())};
  double next_value = 0, next_advantage = 0;
  for (std::size_t t = values.size(); t-- > 0;) {
    if (!mask.empty() && mask[t] == 0) continue;
    const double delta = rewards[t] + options.gamma * next_value - values[t];
    next_advantage = delta + options.gamma * options.lambda * next_advantage;
    next_value = values[t];
    out.advantages[t] = next_advantage;
    out.returns[t] = next_advantage + values[t];
  }
  return out;
}

std::vector<double> whiten(std::span<const double> advantages, std::span<const std::uint8_t> mask) {
  TORCH_CHECK(mask.empty() || mask.size() == advantages.size(), "want a mask bit per advantage");
  const auto counts = [&](std::size_t i) { return mask.empty() || mask[i] != 0; };
  const auto all = moments(advantages, counts);
  std::vector<double> out(advantages.size(), 0.0);
  if (all.flat) return out;
  const double scale = 1 / std::sqrt(all.variance + kWhitenFloor);
  for (std::size_t i = 0; i < advantages.size(); ++i)
    if (counts(i)) out[i] = scale * (advantages[i] - all.mean);
  return out;
}

}  // namespace hone::rl
