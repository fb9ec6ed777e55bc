// Packed segments as a varlen attention kernel takes them: sequences end to end, of which each
// response's keys are its prompt's and its own. Queries stay where they are; keys are gathered.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "rl/ops/attention.h"

namespace hone::rl::cuda {

struct SegmentIndex {
  std::int64_t tokens = 0;                       ///< T of the trunk
  at::Tensor queries, keys;                      ///< [sequences + 1] int32: where each begins
  std::int64_t most_queries = 0, most_keys = 0;  ///< of one sequence
  /// Where some prompt is shared; undefined: keys are the trunk's rows as they are.
  at::Tensor rows;          ///< [all keys] int64: the trunk's row of each key
  at::Tensor first, which;  ///< [T + 1], [all keys] int32: the keys that each trunk row became
  /// The same on the host: [from, to) of queries and of keys, sequence by sequence.
  struct Sequence {
    std::int64_t query, queries, key, keys;
  };
  std::vector<Sequence> sequences;
};

SegmentIndex index_segments(const Segments& segments, at::Device device);

}  // namespace hone::rl::cuda
