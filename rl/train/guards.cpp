#include "rl/train/guards.h"

#include <cmath>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "rl/train/failure.h"

namespace hone::rl {
namespace {

constexpr double kStartTolerance = 2e-3;   // of the rewards' margin, which is 0 at the start
constexpr double kStillTolerance = 1e-7;   // of a policy that has not moved
constexpr std::size_t kStillSteps = 10;    // with a rate above 0
constexpr double kFlatShare = 0.9;         // of groups whose answers all score the same
constexpr std::size_t kFlatSteps = 10;
constexpr double kEntropyShare = 0.1;      // of the first step's
constexpr std::size_t kCollapseSteps = 3;
constexpr double kLengthShare = 2;         // of the first step's
constexpr double kNegativeKl = -1;         // nats an answer
constexpr std::size_t kNegativeSteps = 5;
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

/// True when `name` holds in each of the last `count` steps.
template <class Holds>
bool lately(const std::vector<Values>& seen, std::size_t count, std::string_view name,
            const Holds& holds) {
  if (seen.size() < count) return false;
  for (std::size_t i = seen.size() - count; i < seen.size(); ++i) {
    const auto value = find(seen[i], name);
    if (!value || !holds(*value)) return false;
  }
  return true;
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
  const auto found = finding();
  if (!found) return;
  if (found->code == told_) return;
  told_ = found->code;
  trip(*found, step, observer);
}

void Guards::trip(const Finding& found, std::int64_t step, Observer& observer) const {
  if (spec_.guards_stop || found.blame == "bug")
    throw RunFailure(found.blame, found.code, found.detail, step, found.param);
  observer.message("warning", found.detail);
}

std::optional<Finding> Guards::finding() const {
  for (const auto check :
       {&Guards::reference, &Guards::divergence, &Guards::collapse, &Guards::flat_signal})
    if (auto found = (this->*check)()) return found;
  return std::nullopt;
}

/// The reference is where the policy starts, and the policy leaves it.
std::optional<Finding> Guards::reference() const {
  if (spec_.method->family != feedback::Family::Preference || !feedback::has_reference(*spec_.method))
    return std::nullopt;
  const auto margin = find(seen_.back(), "pref/margin");
  if (!margin) return std::nullopt;
  if (seen_.size() == 1 && std::abs(*margin) > kStartTolerance)
    return Finding{"bug", "reference",
                   "the first step's rewards differ by " + number(*margin) +
                       " and not by 0: the reference is not the start",
                   ""};
  std::size_t moving = 0;
  for (const auto& values : seen_) moving += find(values, "opt/lr").value_or(0) > 0;
  const auto reward = find(seen_.back(), "pref/reward/chosen").value_or(0);
  if (moving > kStillSteps && std::abs(*margin) < kStillTolerance &&
      std::abs(reward) < kStillTolerance)
    return Finding{"user", "reference",
                   "after " + std::to_string(moving) +
                       " steps the policy still equals the reference: the learning rate is too low "
                       "to move f32 weights, or nothing trains",
                   "hyperparameters.learning_rate"};
  return std::nullopt;
}

/// The policy goes too far from the reference, or the estimate says what cannot be.
std::optional<Finding> Guards::divergence() const {
  const auto kl = find(seen_.back(), "rl/kl/seq");
  if (!kl || !spec_.settings.has("kl_budget")) return std::nullopt;
  const double budget = spec_.settings.number("kl_budget");
  if (budget > 0 && *kl > budget)
    return Finding{"user", "kl_budget",
                   "the policy is " + number(*kl) + " nats an answer from its reference, more than "
                       "the budget of " + number(budget) +
                       ": a higher kl_coefficient or a lower learning rate keeps it nearer",
                   "hyperparameters.kl_budget"};
  if (lately(seen_, kNegativeSteps, "rl/kl/seq", [](double v) { return v < kNegativeKl; }))
    return Finding{"bug", "negative_kl",
                   "the KL to the reference has been below -1 for five steps: answers were drawn by "
                   "another distribution than the one that is trained",
                   ""};
  return std::nullopt;
}

/// The policy says one thing only, or ever longer ones.
std::optional<Finding> Guards::collapse() const {
  const auto first = find(seen_.front(), "rl/entropy");
  if (first && *first > 0 &&
      lately(seen_, kCollapseSteps, "rl/entropy",
             [&](double v) { return v < kEntropyShare * *first; }))
    return Finding{"user", "entropy_collapse",
                   "the policy's entropy fell from " + number(*first) + " to " +
                       number(*find(seen_.back(), "rl/entropy")) +
                       " nats a token: it answers one way only; a higher kl_coefficient or a lower "
                       "learning rate keeps it open",
                   "hyperparameters.kl_coefficient"};
  const auto start = find(seen_.front(), "rl/length/mean"),
             length = find(seen_.back(), "rl/length/mean");
  if (!start || !length || *length <= kLengthShare * *start) return std::nullopt;
  std::optional<double> gold_first, gold_last;
  for (const auto& values : seen_)
    if (const auto gold = find(values, "rl/gold")) {
      if (!gold_first) gold_first = gold;
      gold_last = gold;
    }
  if (!gold_first || *gold_last > *gold_first) return std::nullopt;  // no gold, or it rose
  return Finding{"user", "length_drift",
                 "answers grew from " + number(*start) + " to " + number(*length) +
                     " tokens while the gold reward did not rise: the reward pays for length",
                 "reward"};
}

/// Nothing to learn from.
std::optional<Finding> Guards::flat_signal() const {
  if (!lately(seen_, kFlatSteps, "rl/group/zero_std", [](double v) { return v > kFlatShare; }))
    return std::nullopt;
  return Finding{"user", "flat_reward",
                 "for ten steps more than nine in ten prompts had answers that all score the same: "
                 "the reward is too hard, too easy or broken",
                 "reward"};
}

void Guards::see_held_out(std::int64_t step, const HeldOut& held_out, Observer& observer) const {
  if (!held_out.accuracy || held_out.rows < kEnoughRows) return;
  const double accuracy = *held_out.accuracy;
  if (accuracy == 0 || accuracy == 1)
    return observer.message("warning", "every one of " + std::to_string(held_out.rows) +
                                           " held-out pairs is ranked " +
                                           (accuracy == 1 ? "right" : "wrong") +
                                           ": columns swapped, or a leak?");
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
