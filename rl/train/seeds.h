// One job of several seeds: the same run once a seed, one after another, and what they come to
// together. A result of one seed may be luck.
#pragma once

#include <cstdint>

#include "rl/train/observer.h"
#include "rl/train/spec.h"

namespace hone::rl {

struct SeedsOutcome {
  bool finished = false;               ///< false: told to stop
  std::int64_t steps = 0, tokens = 0;  ///< of all seeds, the failed ones too
  double train_s = 0;
  Values evaluation;  ///< of the published seed
  std::uint64_t published = 0;
  std::int64_t failed = 0;
};

/// Runs spec.seeds, each in out/seed-N as run_training does. A seed that diverges or that a guard
/// stops stays in the account with its reason; when all do, the first's RunFailure is thrown.
///
/// Then out holds what one run leaves, of the first seed that came to its end, at the cost of them
/// all, and hone/seeds.json: each seed's last metrics and evaluation, or its failure; mean and 95 %
/// interval (Student's t) of every value over the seeds that came to their end. The card shows them
/// all.
///
/// A spec that resumes goes on from that checkpoint with the seed it is of; seeds that are done in
/// `out` are not run again, all others begin anew. Steps are told counted through the seeds, so
/// that a later seed's checkpoint is a later one.
SeedsOutcome run_seeds(const TrainSpec& spec, Observer& observer);

}  // namespace hone::rl
