#include "rl/ops/few_rows.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "rl/ops/row_panels.h"
#include "rl/ops/turns.h"

namespace hone::rl {
namespace {

// A product is summed in 16 lanes, whatever the width of the machine's registers.
constexpr std::int64_t kSums = 16;
// About so many bytes ahead of its use, by whole rows, a weight is asked for: the hardware's own
// prefetch ends at each page.
constexpr std::int64_t kAhead = 4096;

/// Vectors of W lanes, unaligned, allowed to alias. Wider than the machine's they would compile, to
/// code that keeps its sums in memory: hence one instance of the loops for each width.
template <int W>
struct Vector {
  typedef float Floats __attribute__((vector_size(W * 4), aligned(2), may_alias));
  typedef std::uint32_t Words __attribute__((vector_size(W * 4), aligned(2), may_alias));
};

template <class Number>
struct Job {
  std::int64_t m, n, k;
  const float* x;  // for bf16 as `interleave` leaves it
  const Number* w;
  const float* base;
  float* y;
  bool round;
};

std::uint32_t bits_of(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return bits;
}

float float_of(std::uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

/// To the nearest bf16, ties to even; as libtorch rounds.
[[gnu::always_inline]] inline float rounded(float value) {
  if (value != value) return value;
  const std::uint32_t bits = bits_of(value);
  return float_of((bits + 0x7FFFu + ((bits >> 16) & 1u)) & 0xFFFF0000u);
}

/// The 16 sums of a product, in registers: every loop over them is unrolled, and their address is
/// never taken.
template <int W>
struct Sums {
  static constexpr int kParts = kSums / W;
  typename Vector<W>::Floats part[kParts];

  [[gnu::always_inline]] void clear() {
#pragma GCC unroll 4
    for (int p = 0; p < kParts; ++p) part[p] = typename Vector<W>::Floats{};
  }

  /// As one number, always by halves.
  [[gnu::always_inline]] float folded() {
#pragma GCC unroll 4
    for (int half = kParts / 2; half > 0; half /= 2)
#pragma GCC unroll 4
      for (int p = 0; p < half; ++p) part[p] += part[p + half];
    float all[W];
    *reinterpret_cast<typename Vector<W>::Floats*>(all) = part[0];
#pragma GCC unroll 4
    for (int half = W / 2; half > 0; half /= 2)
#pragma GCC unroll 8
      for (int i = 0; i < half; ++i) all[i] += all[i + half];
    return all[0];
  }
};

/// M rows of x against one row of f32 weights; meanwhile the row at `ahead` is asked for.
template <int W, int M>
[[gnu::always_inline]] inline void dot(std::int64_t k, const float* x, const float* w,
                                       const float* ahead, float* out) {
  using Floats = typename Vector<W>::Floats;
  Sums<W> sums[M];
#pragma GCC unroll 4
  for (int i = 0; i < M; ++i) sums[i].clear();
  std::int64_t j = 0;
  for (; j + kSums <= k; j += kSums) {
    __builtin_prefetch(ahead + j, 0, 3);
#pragma GCC unroll 4
    for (int p = 0; p < Sums<W>::kParts; ++p) {
      const Floats v = *reinterpret_cast<const Floats*>(w + j + p * W);
#pragma GCC unroll 4
      for (int i = 0; i < M; ++i)
        sums[i].part[p] += *reinterpret_cast<const Floats*>(x + i * k + j + p * W) * v;
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < M; ++i) {
    out[i] = sums[i].folded();
    for (std::int64_t t = j; t < k; ++t) out[i] += x[i * k + t] * w[t];
  }
}

/// The same of bf16 weights: a word holds two, so the even ones are a shift away and the odd ones a
/// mask; x lies in that order.
template <int W, int M>
[[gnu::always_inline]] inline void dot(std::int64_t k, const float* x, const std::uint16_t* w,
                                       const std::uint16_t* ahead, float* out) {
  using Floats = typename Vector<W>::Floats;
  using Words = typename Vector<W>::Words;
  Sums<W> sums[M];
#pragma GCC unroll 4
  for (int i = 0; i < M; ++i) sums[i].clear();
  std::int64_t j = 0;
  for (; j + 2 * kSums <= k; j += 2 * kSums) {
    __builtin_prefetch(ahead + j, 0, 3);
#pragma GCC unroll 4
    for (int p = 0; p < Sums<W>::kParts; ++p) {
      const Words words = *reinterpret_cast<const Words*>(w + j + 2 * p * W);
      const auto even = reinterpret_cast<Floats>(words << 16),
                 odd = reinterpret_cast<Floats>(words & 0xFFFF0000u);
#pragma GCC unroll 4
      for (int i = 0; i < M; ++i) {
        const float* row = x + i * k + j + p * W;
        sums[i].part[p] += *reinterpret_cast<const Floats*>(row) * even;
        sums[i].part[p] += *reinterpret_cast<const Floats*>(row + kSums) * odd;
      }
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < M; ++i) {
    out[i] = sums[i].folded();
    for (std::int64_t t = j; t < k; ++t)
      out[i] += x[i * k + t] * float_of(std::uint32_t{w[t]} << 16);
  }
}

/// A turn's weight rows against all rows of x, four at a time: so many sums fit the registers.
template <int W, class Number>
[[gnu::always_inline]] inline void stream(const Job<Number>& job, const Turn& turn) {
  const std::int64_t row_bytes = job.k * static_cast<std::int64_t>(sizeof(Number));
  const std::int64_t early = std::max<std::int64_t>(1, (kAhead + row_bytes / 2) / row_bytes);
  for (std::int64_t r = turn.from; r < turn.to; ++r) {
    const Number* w = job.w + r * job.k;
    const Number* ahead = job.w + turn.coming(r + early) * job.k;
    for (std::int64_t i = 0; i < job.m; i += 4) {
      const float* x = job.x + i * job.k;
      const std::int64_t rows = job.m - i < 4 ? job.m - i : 4;
      float out[4];
      if (rows == 4)
        dot<W, 4>(job.k, x, w, ahead, out);
      else if (rows == 3)
        dot<W, 3>(job.k, x, w, ahead, out);
      else if (rows == 2)
        dot<W, 2>(job.k, x, w, ahead, out);
      else
        dot<W, 1>(job.k, x, w, ahead, out);
      for (std::int64_t a = 0; a < rows; ++a) {
        if (job.round) out[a] = rounded(out[a]);
        const std::int64_t at = (i + a) * job.n + r;
        job.y[at] = job.base ? job.base[at] + out[a] : out[a];
      }
    }
  }
}

template <class Number>
void stream_any(const Job<Number>& job, const Turn& turn) {
  stream<4>(job, turn);
}
#if defined(__x86_64__)
template <class Number>
__attribute__((target("arch=x86-64-v3"))) void stream_v3(const Job<Number>& job, const Turn& turn) {
  stream<8>(job, turn);
}
template <class Number>
__attribute__((target("arch=x86-64-v4"))) void stream_v4(const Job<Number>& job, const Turn& turn) {
  stream<16>(job, turn);
}
#endif

template <class Number>
void run(const Job<Number>& job) {
#if defined(__x86_64__)
  static const auto best = __builtin_cpu_supports("x86-64-v4")   ? stream_v4<Number>
                           : __builtin_cpu_supports("x86-64-v3") ? stream_v3<Number>
                                                                 : stream_any<Number>;
#else
  static const auto best = stream_any<Number>;
#endif
  take_turns(job.n, 1, [&](const Turn& turn) { best(job, turn); });
}

/// Of every 32 numbers of a row of x the even ones come first. What is left over at a row's end
/// keeps its order.
void interleave(std::int64_t m, std::int64_t k, const float* x, bool round, float* out) {
  const auto kept = [round](float value) { return round ? rounded(value) : value; };
  for (std::int64_t i = 0; i < m; ++i, x += k, out += k) {
    std::int64_t j = 0;
    for (; j + 2 * kSums <= k; j += 2 * kSums) {
      for (std::int64_t l = 0; l < kSums; ++l) {
        out[j + l] = kept(x[j + 2 * l]);
        out[j + kSums + l] = kept(x[j + 2 * l + 1]);
      }
    }
    for (; j < k; ++j) out[j] = kept(x[j]);
  }
}

}  // namespace

std::int64_t most_few_rows(bool bf16) { return std::max(kFewRows, most_panel_rows(bf16)); }

void few_rows(std::int64_t m, std::int64_t n, std::int64_t k, const float* x, const float* w,
              const float* base, float* y) {
  if (m > kFewRows) return panel_rows(m, n, k, x, w, base, y);
  run(Job<float>{m, n, k, x, w, base, y, false});
}

void few_rows(std::int64_t m, std::int64_t n, std::int64_t k, const float* x,
              const std::uint16_t* w, const float* base, float* y, Rounding rounding) {
  if (m > kFewRows) return panel_rows(m, n, k, x, w, base, y, rounding);
  const bool round = rounding == Rounding::Bf16;
  static thread_local std::vector<float> room;
  room.resize(static_cast<std::size_t>(m * k));
  interleave(m, k, x, round, room.data());
  run(Job<std::uint16_t>{m, n, k, room.data(), w, base, y, round});
}

}  // namespace hone::rl
