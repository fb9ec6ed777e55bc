#include "rl/loss/segments.h"

#include <ATen/ops/empty.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <numeric>

namespace hone::rl {

at::Tensor sequence_of_token(std::span<const std::int64_t> lengths, const at::Tensor& like) {
  const auto total = std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0});
  TORCH_CHECK(like.dim() == 1 && like.size(0) == total, "want [N] of the ", total,
              " tokens that the lengths sum to, got ", like.sizes());
  auto out = at::empty({total}, at::kLong);
  auto* next = out.data_ptr<std::int64_t>();
  for (std::size_t i = 0; i < lengths.size(); ++i)
    next = std::fill_n(next, lengths[i], static_cast<std::int64_t>(i));
  return out.to(like.device());
}

at::Tensor sum_by_sequence(const at::Tensor& values, const at::Tensor& sequence,
                           std::size_t count) {
  return values.new_zeros({static_cast<std::int64_t>(count)}).index_add(0, sequence, values);
}

}  // namespace hone::rl
