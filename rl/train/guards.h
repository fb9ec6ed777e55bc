// Guards: what a run's own metrics say about a run that is going wrong. They stop it with a reason
// while the last good checkpoint is still there.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "rl/train/objective.h"
#include "rl/train/observer.h"
#include "rl/train/spec.h"

namespace hone::rl {

/// A guard's finding: who is to blame, a code, and what to do next.
struct Finding {
  std::string blame, code, detail, param;
};

/// Looks at each step's metrics, and at those before it; they are in metrics.jsonl, so that a
/// resumed run sees what the uninterrupted one would.
class Guards {
 public:
  explicit Guards(const TrainSpec& spec) : spec_(spec) {}

  /// Reads the steps that are done.
  void recall(const std::filesystem::path& metrics);
  /// Throws RunFailure when a guard trips; tells a warning instead where the spec says so.
  void see(std::int64_t step, const Values& values, Observer& observer);
  /// The same of held-out rows at the end.
  void see_held_out(std::int64_t step, const HeldOut& held_out, Observer& observer) const;

  /// What is wrong after the steps seen so far; empty: nothing.
  std::vector<Finding> findings() const;

 private:
  void trip(const Finding& finding, std::int64_t step, Observer& observer) const;
  std::optional<Finding> reference() const;
  std::optional<Finding> sampler() const;
  std::optional<Finding> kl_budget() const;
  std::optional<Finding> negative_kl() const;
  std::optional<Finding> entropy() const;
  std::optional<Finding> length() const;
  std::optional<Finding> no_end() const;
  std::optional<Finding> flat_signal() const;

  const TrainSpec& spec_;
  std::vector<Values> seen_;
  std::set<std::string> told_;  ///< codes of warnings: each is told once
};

}  // namespace hone::rl
