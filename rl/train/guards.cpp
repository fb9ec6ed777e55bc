#include "rl/train/guards.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "rl/train/failure.h"

namespace hone::rl {
namespace {

// Of the first step's rewards, which are 0 up to the last bits of the sums.
constexpr double kStartTolerance = 2e-3, kStartToleranceBf16 = 2e-2;
// Of a policy that has not moved: two layouts of one pass differ by as much.
constexpr double kStillTolerance = 1e-5;
constexpr std::size_t kStillSteps = 10;                      // with a rate above 0
constexpr double kFirstRatio = 1e-3, kFirstRatioBf16 = 0.2;  // of |rho - 1| on a first pass
constexpr double kSamplerGap = 0.01, kSamplerGapBf16 = 0.1;  // nats a token, 99th percentile
constexpr double kTargets = 10;     // kl_target's multiple at which it has failed
constexpr double kFlatShare = 0.9;  // of groups whose answers all score the same
constexpr std::size_t kFlatRollouts = 10;
constexpr double kEntropyShare = 0.1;  // of the first step's
constexpr std::size_t kCollapseSteps = 3;
constexpr double kLengthShare = 2;     // of the first rollout's
constexpr double kEndlessShare = 0.5;  // of a rollout's answers
constexpr std::size_t kEndlessRollouts = 3;
constexpr double kNegativeKl = -1;  // nats an answer
constexpr std::size_t kNegativeRollouts = 5;
constexpr std::int64_t kEnoughRows = 100;  // for an interval that says something

std::optional<double> find(const Values& values, std::string_view name) {
  for (const auto& [key, value] : values)
    if (key == name) return value;
  return std::nullopt;
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

/// True when `holds` of each of the last `count` values of `name`. A rollout's metrics stand at its
/// first step alone.
template <class Holds>
bool lately(const std::vector<Values>& seen, std::size_t count, std::string_view name,
            const Holds& holds) {
  std::size_t found = 0;
  for (auto step = seen.rbegin(); step != seen.rend() && found < count; ++step) {
    const auto value = find(*step, name);
    if (!value) continue;
    if (!holds(*value)) return false;
    ++found;
  }
  return found == count;
}

}  // namespace

void Guards::recall(const std::filesystem::path& metrics) {
  std::ifstream in(metrics);
  for (std::string line; std::getline(in, line);) {
    Values values;
    const auto json = nlohmann::json::parse(line);
    for (const auto& [name, value] : json.items())
      if (value.is_number()) values.emplace_back(name, value.get<double>());
    seen_.push_back(std::move(values));
  }
}

void Guards::see(std::int64_t step, const Values& values, Observer& observer) {
  seen_.push_back(values);
  for (const auto& found : findings())
    if (told_.insert(found.code).second) trip(found, step, observer);
}

void Guards::trip(const Finding& found, std::int64_t step, Observer& observer) const {
  if (spec_.guards_stop || found.blame == "bug")
    throw RunFailure(found.blame, found.code, found.detail, step, found.param);
  observer.message("warning", found.detail);
}

std::vector<Finding> Guards::findings() const {
  std::vector<Finding> out;
  if (seen_.empty()) return out;
  for (const auto check :
       {&Guards::reference, &Guards::sampler, &Guards::kl_budget, &Guards::negative_kl,
        &Guards::entropy, &Guards::length, &Guards::no_end, &Guards::flat_signal})
    if (auto found = (this->*check)()) out.push_back(std::move(*found));
  return out;
}

/// The reference is where the policy starts, and the policy leaves it.
std::optional<Finding> Guards::reference() const {
  if (!feedback::has_reference(*spec_.method)) return std::nullopt;
  double largest = 0;
  bool any = false;
  for (const char* name : {"pref/margin", "pref/reward/chosen", "pref/reward/rejected"})
    if (const auto value = find(seen_.back(), name)) {
      largest = std::max(largest, std::abs(*value));
      any = true;
    }
  if (!any) return std::nullopt;
  if (seen_.size() == 1 && largest > (spec_.bf16() ? kStartToleranceBf16 : kStartTolerance))
    return Finding{"bug", "reference",
                   "the first step's rewards are " + number(largest) +
                       " and not 0: the reference is not the start",
                   ""};
  std::size_t moving = 0;
  for (const auto& values : seen_) moving += find(values, "opt/lr").value_or(0) > 0;
  if (moving > kStillSteps && largest < kStillTolerance)
    return Finding{"user", "reference",
                   "after " + std::to_string(moving - 1) +
                       " steps the policy still equals the reference: the learning rate is too low "
                       "to move f32 weights, or nothing trains",
                   "hyperparameters.learning_rate"};
  return std::nullopt;
}

/// Answers are trained on as they were drawn: the same weights say the same of the same tokens.
std::optional<Finding> Guards::sampler() const {
  const auto gap = find(seen_.back(), "rl/sampler_gap/p99");
  const double widest = spec_.bf16() ? kSamplerGapBf16 : kSamplerGap;
  const bool corrected = spec_.settings.has("sampler_correction") &&
                         spec_.settings.word("sampler_correction") != "off";
  if (gap && *gap > widest && !corrected)
    return Finding{"bug", "sampler_gap",
                   "the sampler and the trainer disagree about the same tokens: the 99th "
                   "percentile of their log-probabilities' difference is " +
                       number(*gap) + " nats, more than " + number(widest) +
                       "; in bf16 a sampler_correction makes up for it",
                   "hyperparameters.sampler_correction"};
  const auto ratio = find(seen_.back(), "rl/ratio/first_dev");
  const double farthest = spec_.bf16() ? kFirstRatioBf16 : kFirstRatio;
  if (ratio && *ratio > farthest)
    return Finding{"bug", "first_ratio",
                   "on a rollout's first pass a ratio is off 1 by " + number(*ratio) +
                       ", more than " + number(farthest) +
                       ": the old log-probabilities are of other weights or tokens",
                   ""};
  return std::nullopt;
}

/// The policy goes too far from the reference.
std::optional<Finding> Guards::kl_budget() const {
  const auto kl = find(seen_.back(), "rl/kl/seq");
  if (!kl || !spec_.settings.has("kl_budget")) return std::nullopt;
  const double budget = spec_.settings.number("kl_budget");
  const auto target = spec_.settings.find_number("kl_target");
  const bool spent = budget > 0 && *kl > budget;
  if (!spent && !(target && *kl > kTargets * *target)) return std::nullopt;
  return Finding{"user", "kl_budget",
                 "the policy is " + number(*kl) + " nats an answer from its reference, more than " +
                     (spent ? "the budget of " + number(budget)
                            : "ten times the target of " + number(*target)) +
                     ": a higher kl_coefficient or a lower learning rate keeps it nearer",
                 spent ? "hyperparameters.kl_budget" : "hyperparameters.kl_target"};
}

/// The estimate says what cannot be.
std::optional<Finding> Guards::negative_kl() const {
  if (!lately(seen_, kNegativeRollouts, "rl/kl/seq", [](double v) { return v < kNegativeKl; }))
    return std::nullopt;
  return Finding{
      "bug", "negative_kl",
      "the KL to the reference has been below -1 for five rollouts: answers were drawn by "
      "another distribution than the one that is trained",
      ""};
}

/// The policy says one thing only.
std::optional<Finding> Guards::entropy() const {
  const auto first = find(seen_.front(), "rl/entropy");
  if (!first || *first <= 0 || !lately(seen_, kCollapseSteps, "rl/entropy", [&](double v) {
        return v < kEntropyShare * *first;
      }))
    return std::nullopt;
  return Finding{"user", "entropy_collapse",
                 "the policy's entropy fell from " + number(*first) + " to " +
                     number(find(seen_.back(), "rl/entropy").value_or(0)) +
                     " nats a token: it answers one way only; a higher kl_coefficient or a lower "
                     "learning rate keeps it open",
                 "hyperparameters.kl_coefficient"};
}

/// Ever longer answers, and no better ones. Without two measurements of a gold reward nobody knows.
std::optional<Finding> Guards::length() const {
  const auto start = find(seen_.front(), "rl/length/mean"),
             length = find(seen_.back(), "rl/length/mean");
  if (!start || !length || *length <= kLengthShare * *start) return std::nullopt;
  std::vector<double> gold;
  for (const auto& values : seen_)
    if (const auto value = find(values, "rl/gold")) gold.push_back(*value);
  if (gold.size() < 2 || gold.back() > gold.front()) return std::nullopt;
  return Finding{"user", "length_drift",
                 "answers grew from " + number(*start) + " to " + number(*length) +
                     " tokens while the gold reward did not rise: the reward pays for length",
                 "reward"};
}

/// Answers no longer come to an end. A start that is cut off as often is none of the training's
/// doing.
std::optional<Finding> Guards::no_end() const {
  const auto start = find(seen_.front(), "rl/no_end");
  if (!start || !lately(seen_, kEndlessRollouts, "rl/no_end",
                        [&](double share) { return share > kEndlessShare && share > 2 * *start; }))
    return std::nullopt;
  return Finding{
      "user", "no_end",
      number(100 * find(seen_.back(), "rl/no_end").value_or(0)) +
          " % of the answers are cut off before their end token, of the first rollout's " +
          number(100 * *start) + " %: the reward pays for going on, or max_new_tokens is too low",
      "reward"};
}

/// Nothing to learn from.
std::optional<Finding> Guards::flat_signal() const {
  if (!lately(seen_, kFlatRollouts, "rl/group/zero_std", [](double v) { return v > kFlatShare; }))
    return std::nullopt;
  return Finding{
      "user", "flat_reward",
      "for ten rollouts more than nine in ten prompts had answers that all score the same: "
      "the reward is too hard, too easy or broken",
      "reward"};
}

void Guards::see_held_out(std::int64_t step, const HeldOut& held_out, Observer& observer) const {
  if (!held_out.accuracy || held_out.rows < kEnoughRows) return;
  const double accuracy = *held_out.accuracy;
  if (accuracy == 0 || accuracy == 1)
    return observer.message(
        "warning", "every one of " + std::to_string(held_out.rows) + " held-out pairs is ranked " +
                       (accuracy == 1 ? "right" : "wrong") + ": columns swapped, or a leak?");
  if (held_out.interval.low > 0.5 || held_out.interval.high < 0.5) return;
  const Finding found{"user", "accuracy_at_half",
                      "held-out accuracy is " + number(accuracy) + " (95 % interval " +
                          number(held_out.interval.low) + " to " + number(held_out.interval.high) +
                          "): the labels look random to this model, or it has not learned",
                      "data"};
  if (spec_.method->family == feedback::Family::Reward) return trip(found, step, observer);
  observer.message("warning", found.detail);
}

}  // namespace hone::rl
