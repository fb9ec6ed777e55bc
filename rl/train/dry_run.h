// A rehearsal: what a run would do with its data, its memory and its time, without training and
// without touching the run's folder.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "rl/train/memory.h"
#include "rl/train/objective.h"
#include "rl/train/observer.h"
#include "rl/train/spec.h"

namespace hone::rl {

/// Seconds, about: one micro-batch (and for methods that draw a short rollout) is measured on this
/// machine as it is now, and multiplied.
struct TimeForecast {
  double load = 0;
  double prepare = 0;     ///< a reference, other models
  double rollout = 0;     ///< one, if every answer is as long as it may be; 0: nothing is drawn
  double step = 0;        ///< one, its rollout apart
  double evaluation = 0;  ///< on held-out rows and of gold rewards along the way; no win rate
  std::int64_t rollouts = 0, steps = 0, runs = 1;
  double total() const {
    const auto r = static_cast<double>(rollouts), s = static_cast<double>(steps);
    return static_cast<double>(runs) * (load + prepare + r * rollout + s * step + evaluation);
  }
};

struct DryRun {
  explicit DryRun(TrainSpec of) : spec(std::move(of)) {}

  TrainSpec spec;  ///< dtype auto resolved
  std::string base;
  DataFacts facts;
  std::int64_t steps = 0, longest_tokens = 0;  ///< longest that a row may be
  MemoryForecast memory;
  std::int64_t available = 0;        ///< 0: not known
  std::string smaller;               ///< what would fit; empty: this does
  std::optional<TimeForecast> time;  ///< of a run that fits
  std::shared_ptr<const Tokenizer> tokenizer;
  std::vector<ShownText> batch;  ///< the first step's first rows
};

/// Does it. nullopt: told to stop. Invalid with field and line for what a run would refuse, and for
/// what it would only warn of: prompts of both splits, a padding token where the loss looks.
std::optional<DryRun> dry_run(const TrainSpec& spec, Observer& observer);

}  // namespace hone::rl
