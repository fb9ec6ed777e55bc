// Rows of weights shared out among threads as they come for them: two cores do not read memory at
// one rate, and the faster would wait for the other at the end of every product.
#pragma once

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace hone::rl {

/// Calls run(from, to) for all of [0, n), some rows at a time.
template <class Run>
void take_turns(std::int64_t n, std::int64_t rows, const Run& run) {
  std::atomic<std::int64_t> next = 0;
  const std::int64_t turns = (n + rows - 1) / rows;
  at::parallel_for(0, std::min<std::int64_t>(turns, at::get_num_threads()), 1,
                   [&](std::int64_t, std::int64_t) {
                     for (std::int64_t from; (from = next.fetch_add(rows)) < n;)
                       run(from, std::min(from + rows, n));
                   });
}

}  // namespace hone::rl
