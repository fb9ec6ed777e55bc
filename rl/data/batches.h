// Which rows an optimizer step takes, and how they are cut into passes that fit in memory.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "rl/data/pairs.h"

namespace hone::rl {

/// The order of rows over the whole run, as a function of (seed, step): nothing to save but the
/// step.
class StepRows {
 public:
  StepRows(std::int64_t rows, std::int64_t batch, std::uint64_t seed);

  std::int64_t steps_per_epoch() const;
  /// Row indices of optimizer step `step`; an epoch's last step may hold fewer than the batch.
  std::vector<std::int64_t> rows_of(std::int64_t step);
  /// Epochs done when `steps` steps are.
  double epochs_after(std::int64_t steps) const;

 private:
  std::int64_t rows_, batch_;
  std::uint64_t seed_;
  std::int64_t epoch_ = -1;
  std::vector<std::int64_t> order_;
};

/// Cuts `rows` into runs of at most `max_tokens` trunk tokens each; one row may exceed it alone.
/// `tokens_of` is each row's.
std::vector<std::vector<std::int64_t>> micro_batches(
    const std::vector<std::int64_t>& rows, std::int64_t max_tokens,
    const std::function<std::int64_t(std::size_t row)>& tokens_of);
/// The same of pairs.
std::vector<std::vector<std::int64_t>> micro_batches(const std::vector<Pair>& pairs,
                                                     const std::vector<std::int64_t>& rows,
                                                     std::int64_t max_tokens);

/// 0, 1, ... count - 1.
std::vector<std::int64_t> all_rows(std::size_t count);

/// Chosen and rejected of each pair as one group, chosen first.
std::vector<Group> groups_of(const std::vector<Pair>& pairs, const std::vector<std::int64_t>& rows);

}  // namespace hone::rl
