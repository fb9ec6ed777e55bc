#include "rl/ops/row_panels.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "rl/ops/simd.h"
#include "rl/ops/turns.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace hone::rl {
namespace {

// Beyond two panels arithmetic takes longer than reading, and libraries that block for the caches
// are faster.
constexpr std::int64_t kMostRows = 32;
constexpr std::int64_t kLanes = 16;  // rows of x in a panel
constexpr std::int64_t kLine = 16;   // words in a line of the cache
constexpr std::int64_t kLineBytes = 64;

/// A word is four bytes of a weight row: an f32, or two bf16 of adjacent k, the last one of an odd
/// k alone. `panels` holds [part][panel][word][kLanes] words; parts, of bf16 only, add up to x.
struct Job {
  std::int64_t m, n, k, words;
  std::int64_t parts, count;  // count: panels
  const std::uint32_t* panels;
  const char* w;
  std::int64_t w_row;  // bytes
  const float* base;
  float* y;
  bool round;

  const std::uint32_t* panel(std::int64_t part, std::int64_t which) const {
    return panels + (part * count + which) * words * kLanes;
  }
  const char* row(std::int64_t which) const { return w + which * w_row; }
};

[[gnu::always_inline]] inline std::uint32_t half_of(float value) {
  Bf16 half;
  store(half, value);
  return half.bits;
}

/// The sums of one panel with `rows` weight rows from `row` on, [kLanes][rows], to where they go.
HONE_SIMD void finish(const Job& job, std::int64_t panel, std::int64_t row, std::int64_t rows,
                      const float* sums) {
  const std::int64_t from = panel * kLanes, lanes = job.m - from < kLanes ? job.m - from : kLanes;
  for (std::int64_t i = 0; i < lanes; ++i, sums += rows) {
    const std::int64_t at = (from + i) * job.n + row;
    for (std::int64_t r = 0; r < rows; ++r) {
      float sum = sums[r];
      if (job.round) {
        Bf16 half;
        store(half, sum);
        sum = number(half);
      }
      job.y[at + r] = job.base ? job.base[at + r] + sum : sum;
    }
  }
}

/// A row of x as words of two bf16, rounded, and what the rounding took away.
HONE_SIMD void halve(const float* x, std::int64_t words, std::uint32_t* rounded,
                     std::uint32_t* rest) {
  for (std::int64_t j = 0; j < words; ++j) {
    const std::uint32_t even = half_of(x[2 * j]), odd = half_of(x[2 * j + 1]);
    rounded[j] = even | odd << 16;
    rest[j] = half_of(x[2 * j] - number(Bf16{static_cast<std::uint16_t>(even)})) |
              half_of(x[2 * j + 1] - number(Bf16{static_cast<std::uint16_t>(odd)})) << 16;
  }
}

std::int64_t panels_of(std::int64_t m) { return (m + kLanes - 1) / kLanes; }

/// Row i of x, as words, to its lane.
void place(const std::uint32_t* row, std::int64_t words, std::int64_t i, std::uint32_t* panels) {
  std::uint32_t* lane = panels + i / kLanes * words * kLanes + i % kLanes;
  for (std::int64_t j = 0; j < words; ++j) lane[j * kLanes] = row[j];
}

/// x [m,k] as panels of f32 words. Lanes past m keep what was there: their sums go nowhere.
void pack(std::int64_t m, std::int64_t k, const float* x, std::uint32_t* panels) {
  for (std::int64_t i = 0; i < m; ++i) {
    std::uint32_t* lane = panels + i / kLanes * k * kLanes + i % kLanes;
    for (std::int64_t j = 0; j < k; ++j) std::memcpy(lane + j * kLanes, x + i * k + j, 4);
  }
}

/// x [m,k] as one or two parts of panels of words of two bf16.
void pack_halves(std::int64_t m, std::int64_t k, const float* x, std::int64_t parts,
                 std::uint32_t* panels) {
  const std::int64_t words = (k + 1) / 2;
  std::vector<std::uint32_t> rounded(static_cast<std::size_t>(words)), rest(rounded);
  for (std::int64_t i = 0; i < m; ++i, x += k) {
    halve(x, k / 2, rounded.data(), rest.data());
    if (k % 2 == 1) {
      const float last[2] = {x[k - 1], 0};
      halve(last, 1, rounded.data() + words - 1, rest.data() + words - 1);
    }
    place(rounded.data(), words, i, panels);
    if (parts == 2) place(rest.data(), words, i, panels + panels_of(m) * words * kLanes);
  }
}

/// Vectors of W lanes, unaligned. Never wider than the machine's registers: that would compile,
/// into code that keeps its sums in memory.
template <int W>
struct Vector {
  typedef float Floats __attribute__((vector_size(W * 4), aligned(4), may_alias));
};

/// [R][kLanes] turned on its side, [kLanes][R]. Of sixteen rows, in registers: by numbers, by twos,
/// by fours and by eights.
template <int W, int R>
[[gnu::always_inline]] inline void turn(const float* rows, float* turned) {
  if constexpr (W == 16 && R == 16) {
    using Floats = typename Vector<16>::Floats;
    Floats a[16], b[16];
#pragma GCC unroll 16
    for (int r = 0; r < 16; ++r) b[r] = *reinterpret_cast<const Floats*>(rows + r * kLanes);
#pragma GCC unroll 8
    for (int i = 0; i < 16; i += 2) {
      a[i] = __builtin_shufflevector(b[i], b[i + 1], 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12,
                                     28, 13, 29);
      a[i + 1] = __builtin_shufflevector(b[i], b[i + 1], 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27,
                                         14, 30, 15, 31);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 16; i += 4)
#pragma GCC unroll 2
      for (int half = 0; half < 2; ++half) {
        const Floats x = a[i + half], y = a[i + half + 2];
        b[i + 2 * half] =
            __builtin_shufflevector(x, y, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
        b[i + 2 * half + 1] = __builtin_shufflevector(x, y, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26,
                                                      27, 14, 15, 30, 31);
      }
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {  // of b[i], b[4 + i], ... quarter q belongs to row 4 q + i
      const Floats low = __builtin_shufflevector(b[i], b[4 + i], 0, 1, 2, 3, 16, 17, 18, 19, 4, 5,
                                                 6, 7, 20, 21, 22, 23),
                   low2 = __builtin_shufflevector(b[8 + i], b[12 + i], 0, 1, 2, 3, 16, 17, 18, 19,
                                                  4, 5, 6, 7, 20, 21, 22, 23),
                   high = __builtin_shufflevector(b[i], b[4 + i], 8, 9, 10, 11, 24, 25, 26, 27, 12,
                                                  13, 14, 15, 28, 29, 30, 31),
                   high2 = __builtin_shufflevector(b[8 + i], b[12 + i], 8, 9, 10, 11, 24, 25, 26,
                                                   27, 12, 13, 14, 15, 28, 29, 30, 31);
      const auto put = [&](int q, Floats row) __attribute__((always_inline)) {
        *reinterpret_cast<Floats*>(turned + (4 * q + i) * 16) = row;
      };
      put(0, __builtin_shufflevector(low, low2, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22,
                                     23));
      put(1, __builtin_shufflevector(low, low2, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28,
                                     29, 30, 31));
      put(2, __builtin_shufflevector(high, high2, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21,
                                     22, 23));
      put(3, __builtin_shufflevector(high, high2, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28,
                                     29, 30, 31));
    }
  } else {
    for (int i = 0; i < kLanes; ++i)
      for (int r = 0; r < R; ++r) turned[i * R + r] = rows[r * kLanes + i];
  }
}

/// Where R rows that lie `row` bytes apart are, by half as many registers as rows: an address takes
/// a multiple of 2, 4 or 8 for nothing.
template <int R>
struct Rows {
  std::int64_t odd[(R + 1) / 2];  // row times 1, 3, 5, ...

  [[gnu::always_inline]] explicit Rows(std::int64_t row) {
#pragma GCC unroll 8
    for (int i = 0; i < (R + 1) / 2; ++i) odd[i] = (2 * i + 1) * row;
  }
  /// Before each use in a loop, or the compiler computes the multiples once and has no registers
  /// left.
  [[gnu::always_inline]] void hold() {
#pragma GCC unroll 8
    for (int i = 0; i < (R + 1) / 2; ++i) __asm__("" : "+r"(odd[i]));
  }
  [[gnu::always_inline]] std::int64_t at(int r) const {
    if (r == 0) return 0;
    const int power = __builtin_ctz(static_cast<unsigned>(r));
    return odd[(r >> power) / 2] << power;
  }
};

/// R rows of f32 weights with a panel; meanwhile those from `coming` on are asked for.
template <int W, int R>
[[gnu::always_inline]] inline void panel_f32(const Job& job, std::int64_t row, std::int64_t panel,
                                             std::int64_t coming) {
  using Floats = typename Vector<W>::Floats;
  constexpr int kParts = kLanes / W;
  const char *w = job.row(row), *ahead = job.row(coming), *end = w + job.w_row;
  const auto* x = reinterpret_cast<const float*>(job.panel(0, panel));
  Rows<R> rows(job.w_row);
  Floats sums[R][kParts];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < kParts; ++v) sums[r][v] = Floats{};
  while (w < end) {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) __builtin_prefetch(ahead + r * kLineBytes, 0, 2);
    ahead += R * kLineBytes;
    const char* stop = end - w < kLineBytes ? end : w + kLineBytes;
#pragma GCC unroll 1
    for (; w < stop; w += 4, x += kLanes) {
      rows.hold();
      Floats lanes[kParts];
#pragma GCC unroll 2
      for (int v = 0; v < kParts; ++v) lanes[v] = *reinterpret_cast<const Floats*>(x + v * W);
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) {
        const float weight = *reinterpret_cast<const float*>(w + rows.at(r));
#pragma GCC unroll 2
        for (int v = 0; v < kParts; ++v) sums[r][v] += weight * lanes[v];
      }
    }
  }
  float out[R * kLanes], turned[R * kLanes];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < kParts; ++v)
      *reinterpret_cast<Floats*>(out + r * kLanes + v * W) = sums[r][v];
  turn<W, R>(out, turned);
  finish(job, panel, row, R, turned);
}

/// A turn's weight rows, R at a time: from the second panel on they are in the cache.
template <int W, int R>
[[gnu::always_inline]] inline void stream_f32(const Job& job, const Turn& turn) {
  std::int64_t row = turn.from;
  for (; row + R <= turn.to; row += R)
    for (std::int64_t panel = 0; panel < job.count; ++panel)
      panel_f32<W, R>(job, row, panel, turn.coming(row + R));
  for (; row < turn.to; ++row)
    for (std::int64_t panel = 0; panel < job.count; ++panel)
      panel_f32<W, 1>(job, row, panel, turn.coming(row + 1));
}

#if defined(__x86_64__)

// Rows at a time leave room in each set's registers: 32 of 16 floats, 16 of 8.
constexpr int kHeightV4 = 16, kHeightV3 = 6;

__attribute__((target("arch=x86-64-v3"))) void stream_f32_v3(const Job& job, const Turn& turn) {
  stream_f32<8, kHeightV3>(job, turn);
}

__attribute__((target("arch=x86-64-v4"))) void stream_f32_v4(const Job& job, const Turn& turn) {
  stream_f32<16, kHeightV4>(job, turn);
}
#endif

// clang, which builds the fuzzers alone, wants another pragma.
#if defined(__x86_64__) && !defined(__clang__)
#define HONE_BF16_INSTRUCTIONS
#pragma GCC push_options
#pragma GCC target("arch=x86-64-v4,avx512bf16")

/// Adds to each row's sums the product of its Word at w, two weights or a last one, with sixteen
/// pairs of x.
template <class Word, int R>
[[gnu::always_inline]] inline void add_pairs(__m512 (&sums)[R], const std::uint32_t* pairs,
                                             const char* w, Rows<R>& rows) {
  rows.hold();
  const auto lanes = (__m512bh)_mm512_loadu_si512(pairs);
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
    Word word;
    std::memcpy(&word, w + rows.at(r), sizeof(Word));
    sums[r] = _mm512_dpbf16_ps(sums[r], lanes, (__m512bh)_mm512_set1_epi32(word));
  }
}

/// R rows of bf16 weights with a panel of one or two parts.
template <int R, bool TwoParts>
void panel_halves(const Job& job, std::int64_t row, std::int64_t panel, std::int64_t coming) {
  const char *w = job.row(row), *ahead = job.row(coming), *whole = w + job.k / 2 * 4;
  const std::uint32_t *x = job.panel(0, panel), *rest = job.panel(job.parts - 1, panel);
  Rows<R> rows(job.w_row);
  __m512 sums[R];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) sums[r] = _mm512_setzero_ps();
  while (w < whole) {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) __builtin_prefetch(ahead + r * kLineBytes, 0, 2);
    ahead += R * kLineBytes;
    const char* stop = whole - w < kLineBytes ? whole : w + kLineBytes;
#pragma GCC unroll 1
    for (; w < stop; w += 4, x += kLanes) {
      if constexpr (TwoParts) {
        add_pairs<std::int32_t>(sums, rest, w, rows);
        rest += kLanes;
      }
      add_pairs<std::int32_t>(sums, x, w, rows);
    }
  }
  if (job.k % 2 == 1) {  // the last word is half a one
    if constexpr (TwoParts) add_pairs<std::uint16_t>(sums, rest, w, rows);
    add_pairs<std::uint16_t>(sums, x, w, rows);
  }
  float out[R * kLanes], turned[R * kLanes];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) _mm512_storeu_ps(out + r * kLanes, sums[r]);
  turn<16, R>(out, turned);
  finish(job, panel, row, R, turned);
}

template <bool TwoParts>
void stream_parts(const Job& job, const Turn& turn) {
  std::int64_t row = turn.from;
  for (; row + kHeightV4 <= turn.to; row += kHeightV4)
    for (std::int64_t panel = 0; panel < job.count; ++panel)
      panel_halves<kHeightV4, TwoParts>(job, row, panel, turn.coming(row + kHeightV4));
  for (; row < turn.to; ++row)
    for (std::int64_t panel = 0; panel < job.count; ++panel)
      panel_halves<1, TwoParts>(job, row, panel, turn.coming(row + 1));
}

void stream_halves(const Job& job, const Turn& turn) {
  job.parts == 2 ? stream_parts<true>(job, turn) : stream_parts<false>(job, turn);
}

#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("arch=x86-64-v4,avx512bf16,amx-tile,amx-bf16")

constexpr std::int64_t kTileRows = 16;  // of a line each; of weights such a tile holds 32 k

/// Eight tiles: sums in 0 to 3, weights in 4 and 5, x in 6 and 7.
struct TileShapes {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

[[gnu::always_inline]] inline void ask_for_tile(const char*& weights) {
  for (std::int64_t i = 0; i < kTileRows; ++i, weights += kLineBytes)
    __builtin_prefetch(weights, 0, 2);
}

void clear_sums() {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
}

void store_sums(float (*sums)[kTileRows * kLanes]) {
  _tile_stored(0, sums[0], kLineBytes);
  _tile_stored(1, sums[1], kLineBytes);
  _tile_stored(2, sums[2], kLineBytes);
  _tile_stored(3, sums[3], kLineBytes);
}

void turn_and_finish(const Job& job, std::int64_t panel, std::int64_t row, const float* sums) {
  float turned[kTileRows * kLanes];
  turn<16, kTileRows>(sums, turned);
  finish(job, panel, row, kTileRows, turned);
}

/// Four tiles of weight rows with one panel. The rows are read as they lie: it is x that was
/// turned.
void tiles_with_panel(const Job& job, std::int64_t row, std::int64_t panel, std::int64_t coming) {
  const std::int64_t tile = kTileRows * job.w_row;
  const char *w = job.row(row), *ahead = job.row(coming);
  const bool two = job.parts == 2;
  clear_sums();
  for (std::int64_t j = 0; j < job.words; j += kLine, w += kLineBytes) {
    _tile_loadd(6, job.panel(0, panel) + j * kLanes, kLineBytes);
    if (two) _tile_loadd(7, job.panel(1, panel) + j * kLanes, kLineBytes);
    ask_for_tile(ahead);
    _tile_loadd(4, w, job.w_row);
    if (two) _tile_dpbf16ps(0, 4, 7);
    _tile_dpbf16ps(0, 4, 6);
    ask_for_tile(ahead);
    _tile_loadd(5, w + tile, job.w_row);
    if (two) _tile_dpbf16ps(1, 5, 7);
    _tile_dpbf16ps(1, 5, 6);
    ask_for_tile(ahead);
    _tile_loadd(4, w + 2 * tile, job.w_row);
    if (two) _tile_dpbf16ps(2, 4, 7);
    _tile_dpbf16ps(2, 4, 6);
    ask_for_tile(ahead);
    _tile_loadd(5, w + 3 * tile, job.w_row);
    if (two) _tile_dpbf16ps(3, 5, 7);
    _tile_dpbf16ps(3, 5, 6);
  }
  alignas(64) float sums[4][kTileRows * kLanes];
  store_sums(sums);
  for (int t = 0; t < 4; ++t) turn_and_finish(job, panel, row + t * kTileRows, sums[t]);
}

/// Two tiles of weight rows with two panels.
void tiles_with_panels(const Job& job, std::int64_t row, std::int64_t panel, std::int64_t coming) {
  const std::int64_t tile = kTileRows * job.w_row;
  const char *w = job.row(row), *ahead = job.row(coming);
  clear_sums();
  for (std::int64_t j = 0; j < job.words; j += kLine, w += kLineBytes) {
    ask_for_tile(ahead);
    _tile_loadd(4, w, job.w_row);
    ask_for_tile(ahead);
    _tile_loadd(5, w + tile, job.w_row);
    for (std::int64_t part = job.parts; part-- > 0;) {
      _tile_loadd(6, job.panel(part, panel) + j * kLanes, kLineBytes);
      _tile_loadd(7, job.panel(part, panel + 1) + j * kLanes, kLineBytes);
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    }
  }
  alignas(64) float sums[4][kTileRows * kLanes];
  store_sums(sums);
  for (int t = 0; t < 4; ++t) turn_and_finish(job, panel + t % 2, row + t / 2 * kTileRows, sums[t]);
}

void stream_tiles(const Job& job, const Turn& turn) {
  const TileShapes shapes;
  _tile_loadconfig(&shapes);
  std::int64_t row = turn.from;
  for (; row + 4 * kTileRows <= turn.to; row += 4 * kTileRows) {
    const std::int64_t middle = row + 2 * kTileRows, coming = turn.coming(row + 4 * kTileRows);
    std::int64_t panel = 0;
    for (; panel + 2 <= job.count; panel += 2) {
      tiles_with_panels(job, row, panel, middle);
      tiles_with_panels(job, middle, panel, coming);
    }
    if (panel < job.count) tiles_with_panel(job, row, panel, coming);
  }
  _tile_release();
  stream_halves(job, {row, turn.to, turn.then});
}

#pragma GCC pop_options

/// Whether the processor has AMX and the kernel lends its registers to this process.
bool has_tiles() {
  static const bool yes = [] {
    unsigned a = 0, b = 0, c = 0, d = 0;
    __asm__("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(7), "c"(0));
    constexpr unsigned kBf16 = 1u << 22, kTile = 1u << 24;
    constexpr int kRequestPermission = 0x1023, kTileData = 18;
    return __builtin_cpu_supports("avx512bf16") && (d & kBf16) && (d & kTile) &&
           syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  }();
  return yes;
}
#endif

/// How weight rows meet the panels, and how many of them at a time.
struct Stream {
  void (*rows)(const Job&, const Turn&) = nullptr;
  std::int64_t block = 1;
};

Stream f32_stream() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("x86-64-v4")) return {stream_f32_v4, kHeightV4};
  if (__builtin_cpu_supports("x86-64-v3")) return {stream_f32_v3, kHeightV3};
#endif
  return {};
}

Stream bf16_stream([[maybe_unused]] std::int64_t k) {
#ifdef HONE_BF16_INSTRUCTIONS
  if (k % (2 * kLine) == 0 && has_tiles()) return {stream_tiles, 4 * kTileRows};
  if (__builtin_cpu_supports("x86-64-v4") && __builtin_cpu_supports("avx512bf16"))
    return {stream_halves, kHeightV4};
#endif
  return {};
}

void run(const Stream& stream, const Job& job) {
  take_turns(job.n, stream.block, [&](const Turn& turn) { stream.rows(job, turn); });
}

std::uint32_t* room_for(std::int64_t words) {
  static thread_local std::vector<std::uint32_t> room;
  if (static_cast<std::int64_t>(room.size()) < words) room.resize(static_cast<std::size_t>(words));
  return room.data();
}

}  // namespace

std::int64_t most_panel_rows(bool bf16) {
  return (bf16 ? bf16_stream(1) : f32_stream()).rows ? kMostRows : 0;
}

void panel_rows(std::int64_t m, std::int64_t n, std::int64_t k, const float* x, const float* w,
                const float* base, float* y) {
  auto* panels = room_for(panels_of(m) * k * kLanes);
  pack(m, k, x, panels);
  run(f32_stream(), {m, n, k, k, 1, panels_of(m), panels, reinterpret_cast<const char*>(w), k * 4,
                     base, y, false});
}

void panel_rows(std::int64_t m, std::int64_t n, std::int64_t k, const float* x,
                const std::uint16_t* w, const float* base, float* y, Rounding rounding) {
  const bool round = rounding == Rounding::Bf16;
  const std::int64_t words = (k + 1) / 2, parts = round ? 1 : 2;
  auto* panels = room_for(parts * panels_of(m) * words * kLanes);
  pack_halves(m, k, x, parts, panels);
  run(bf16_stream(k), {m, n, k, words, parts, panels_of(m), panels,
                       reinterpret_cast<const char*>(w), k * 2, base, y, round});
}

}  // namespace hone::rl
