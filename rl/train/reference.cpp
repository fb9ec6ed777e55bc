#include "rl/train/reference.h"

#include <ATen/ops/empty.h>

#include <numeric>

#include "rl/data/batches.h"

namespace hone::rl {

ReferenceLogps score_pairs(const Model& model, const std::vector<Pair>& pairs,
                           std::int64_t micro_batch_tokens,
                           const std::function<bool(std::int64_t done)>& each) {
  const auto n = static_cast<std::int64_t>(pairs.size());
  ReferenceLogps out{at::empty({n}, at::kFloat), at::empty({n}, at::kFloat)};
  std::vector<std::int64_t> rows(pairs.size());
  std::iota(rows.begin(), rows.end(), 0);
  std::int64_t done = 0;
  for (const auto& batch : micro_batches(pairs, rows, micro_batch_tokens)) {
    const auto packed = pack(groups_of(pairs, batch));
    const auto sums = sum_by_response(response_logprobs(model, packed),
                                      packed);  // [2B]: chosen, rejected in turn
    for (std::size_t i = 0; i < batch.size(); ++i) {
      out.chosen.data_ptr<float>()[batch[i]] = sums.data_ptr<float>()[2 * i];
      out.rejected.data_ptr<float>()[batch[i]] = sums.data_ptr<float>()[2 * i + 1];
    }
    done += static_cast<std::int64_t>(batch.size());
    if (each && each(done)) return {};
  }
  return out;
}

}  // namespace hone::rl
