// Rows of weights shared out among threads as they come for them: two cores do not read memory at
// one rate, and the faster would wait for the other at the end of every product.
#pragma once

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace hone::rl {

/// Rows [from, to), and where the thread that takes them goes on: what it may ask memory for while
/// it is still busy with these. A turn that begins with a wait for memory loses what turns win.
struct Turn {
  std::int64_t from, to, then;

  /// Where a row counted on past the end of the turn is.
  std::int64_t coming(std::int64_t row) const { return row < to ? row : then + row - to; }
};

/// So many rows at a time: fewer make more waits at the beginnings of turns, more at the last one's
/// end (measured with 24 to 512 rows of 576 and 1536 numbers).
inline constexpr std::int64_t kTurnRows = 144;

/// Rows in a turn: equal shares for all threads, in turns near kTurnRows, of whole blocks.
inline std::int64_t turn_rows(std::int64_t n, std::int64_t block) {
  const auto divided = [](std::int64_t a, std::int64_t b) { return (a + b - 1) / b; };
  const std::int64_t share = divided(n, at::get_num_threads());
  const std::int64_t turns = std::max<std::int64_t>(1, (share + kTurnRows / 2) / kTurnRows);
  return divided(divided(share, turns), block) * block;
}

/// Calls run(turn) for all of [0, n), in turns of whole blocks of rows but for the last.
template <class Run>
void take_turns(std::int64_t n, std::int64_t block, const Run& run) {
  const std::int64_t rows = turn_rows(n, block);
  std::atomic<std::int64_t> next = 0;
  const auto take = [&] { return std::min(next.fetch_add(rows), n); };
  at::parallel_for(0, std::min<std::int64_t>((n + rows - 1) / rows, at::get_num_threads()), 1,
                   [&](std::int64_t, std::int64_t) {
                     for (std::int64_t from = take(), then; from < n; from = then) {
                       then = take();
                       run({from, std::min(from + rows, n), then});
                     }
                   });
}

}  // namespace hone::rl
