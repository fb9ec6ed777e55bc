#include "rl/data/batches.h"

#include <algorithm>
#include <numeric>

#include "rl/random/philox.h"

namespace hone::rl {

StepRows::StepRows(std::int64_t rows, std::int64_t batch, std::uint64_t seed)
    : rows_(rows), batch_(std::min(batch, rows)), seed_(seed) {}

std::int64_t StepRows::steps_per_epoch() const { return (rows_ + batch_ - 1) / batch_; }

std::vector<std::int64_t> StepRows::rows_of(std::int64_t step) {
  const std::int64_t epoch = step / steps_per_epoch(), first = step % steps_per_epoch() * batch_;
  if (epoch != epoch_) {
    order_ = Random(seed_, Stream::Order).permutation(rows_, static_cast<std::uint64_t>(epoch));
    epoch_ = epoch;
  }
  return {order_.begin() + first, order_.begin() + std::min(rows_, first + batch_)};
}

double StepRows::epochs_after(std::int64_t steps) const {
  const std::int64_t whole = steps / steps_per_epoch(), rest = steps % steps_per_epoch();
  return static_cast<double>(whole) +
         static_cast<double>(rest * batch_) / static_cast<double>(rows_);
}

std::vector<std::vector<std::int64_t>> micro_batches(
    const std::vector<std::int64_t>& rows, std::int64_t max_tokens,
    const std::function<std::int64_t(std::size_t row)>& tokens_of) {
  std::vector<std::vector<std::int64_t>> out;
  std::int64_t tokens = 0;
  for (const auto row : rows) {
    const auto n = tokens_of(static_cast<std::size_t>(row));
    if (out.empty() || tokens + n > max_tokens) {
      out.emplace_back();
      tokens = 0;
    }
    out.back().push_back(row);
    tokens += n;
  }
  return out;
}

std::vector<std::vector<std::int64_t>> micro_batches(const std::vector<Pair>& pairs,
                                                     const std::vector<std::int64_t>& rows,
                                                     std::int64_t max_tokens) {
  return micro_batches(rows, max_tokens, [&](std::size_t row) {
    const auto& pair = pairs[row];
    return static_cast<std::int64_t>(pair.prompt.size() + pair.chosen.size() +
                                     pair.rejected.size()) -
           2;
  });
}

std::vector<std::int64_t> all_rows(std::size_t count) {
  std::vector<std::int64_t> rows(count);
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

std::vector<Group> groups_of(const std::vector<Pair>& pairs,
                             const std::vector<std::int64_t>& rows) {
  std::vector<Group> groups;
  for (const auto row : rows) {
    const auto& pair = pairs[static_cast<std::size_t>(row)];
    groups.push_back({pair.prompt, {pair.chosen, pair.rejected}});
  }
  return groups;
}

}  // namespace hone::rl
