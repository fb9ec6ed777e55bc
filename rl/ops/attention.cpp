#include "rl/ops/attention.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>

#include "rl/ops/by_real.h"
#include "rl/ops/cuda/ops.h"
#include "rl/ops/simd.h"
#include "rl/ops/small_matmul.h"

namespace hone::rl {
namespace {

// All scores of a block of queries are held at once: no running softmax, and 48 rows of a thousand
// keys stay in the second-level cache.
constexpr std::int64_t kQueries = 48;

/// Tokens that lie together, and where their keys begin among the packed panels.
struct Run {
  std::int64_t row = 0, tokens = 0, panel = 0;
  std::int64_t panels() const { return (tokens + kLanes - 1) / kLanes; }
};

/// Queries with what they see: all of `before`, and of `own` everything up to themselves. A prompt
/// has nothing before it; a response has its prompt. `seen` is how the columns of a row of scores
/// lie: before's keys, a gap up to the next panel, own's keys.
struct Part {
  Run before, own;
  std::int64_t own_column() const { return before.panels() * kLanes; }
  std::int64_t columns(std::int64_t own_tokens) const {
    return own_column() + Run{0, own_tokens}.panels() * kLanes;
  }
  std::int64_t cost() const { return own.tokens * (before.tokens + own.tokens / 2); }
};

/// A segment's parts, their panels counted from `panel` on.
std::vector<Part> parts_of(const Segment& segment, std::int64_t panel) {
  std::vector<Part> parts;
  const Run prompt{segment.start, segment.prompt, panel};
  parts.push_back({{}, prompt});
  Run own{segment.start + segment.prompt, 0, panel + prompt.panels()};
  for (const auto length : segment.responses) {
    own.tokens = length;
    if (length > 0) parts.push_back({prompt, own});
    own.row += length;
    own.panel += own.panels();
  }
  return parts;
}

std::int64_t panels_of(const std::vector<Part>& parts) {
  return parts.back().own.panel + parts.back().own.panels();
}

/// Work that threads take piece by piece, so that a long piece holds up nobody. Who does a piece
/// changes no bit of it: pieces share nothing.
template <class Real, class Do>
void each_piece(std::size_t count, Do&& piece) {
  std::atomic<std::size_t> next{0};
  at::parallel_for(0, at::get_num_threads(), 1, [&](std::int64_t, std::int64_t) {
    std::vector<Real> scratch;
    for (std::size_t i; (i = next.fetch_add(1)) < count;) piece(i, scratch);
  });
}

/// Row pointers into qkv [T, (heads + 2 kv_heads) * dim].
template <class Real>
struct Layout {
  explicit Layout(const HeadShape& shape)
      : s(shape),
        row((s.heads + 2 * s.kv_heads) * s.dim),
        scale(static_cast<Real>(1.0 / std::sqrt(static_cast<double>(s.dim)))) {}
  HeadShape s;
  std::int64_t row;  // numbers between rows of qkv
  Real scale;

  std::int64_t q(std::int64_t head) const { return head * s.dim; }
  std::int64_t k(std::int64_t kv_head) const { return (s.heads + kv_head) * s.dim; }
  std::int64_t v(std::int64_t kv_head) const { return (s.heads + s.kv_heads + kv_head) * s.dim; }
};

/// Scores [rows, part.columns(end)] of queries against packed keys, or dO against packed values.
template <class Real>
void against_panels(const Real* x, std::int64_t x_row, std::int64_t rows, std::int64_t D,
                    const Part& part, std::int64_t end, const Real* panels, Real* scores) {
  const std::int64_t stride = part.columns(end);
  const Strided<Real> a{x, x_row, 1};
  if (part.before.tokens > 0)
    matmul_panels(rows, D, a, panels + part.before.panel * D * kLanes, part.before.panels(), scores,
                  stride);
  matmul_panels(rows, D, a, panels + part.own.panel * D * kLanes, Run{0, end}.panels(),
                scores + part.own_column(), stride);
}

/// The columns of a row of scores that its query sees: [before_from, before_to) of the keys before,
/// [own_from, own_to) of its own; the columns of own keys end at own_end.
struct Seen {
  std::int64_t before_from, before_to, own_begin, own_from, own_to, own_end;
};

/// What query `i` of a part sees when keys from `end` on were not computed. A query at position
/// `at` of prompt and response sees the keys above at - window.
Seen seen_by(const Part& part, std::int64_t i, std::int64_t end, std::int64_t window) {
  const std::int64_t before = part.before.tokens, own = part.own_column();
  const std::int64_t first = window == 0 ? 0 : std::max<std::int64_t>(0, before + i + 1 - window);
  return {std::min(first, before),
          before,
          own,
          own + std::max<std::int64_t>(0, first - before),
          own + i + 1,
          own + end};
}

template <class Real>
HONE_SIMD void zero(Real* x, std::int64_t from, std::int64_t to) {
  for (std::int64_t j = from; j < to; ++j) x[j] = 0;
}

/// What is not seen has no weight.
template <class Real>
void zero_unseen(Real* x, const Seen& s) {
  zero(x, 0, s.before_from);
  zero(x, s.own_begin, s.own_from);
  zero(x, s.own_to, s.own_end);
}

/// Scores become e^(scale * score - largest) where they are seen, else 0. Returns the sum and the
/// log-sum-exp.
template <class Real>
struct SoftmaxRow {
  Real sum, lse;
};
template <class Real>
HONE_SIMD SoftmaxRow<Real> softmax_row(Real* x, const Seen& s, Real scale) {
  Real largest = x[s.own_from];
  for (std::int64_t j = s.before_from; j < s.before_to; ++j)
    largest = x[j] > largest ? x[j] : largest;
  for (std::int64_t j = s.own_from; j < s.own_to; ++j) largest = x[j] > largest ? x[j] : largest;
  Real sum = 0;
  for (std::int64_t j = s.before_from; j < s.before_to; ++j)
    sum += x[j] = fast_exp((x[j] - largest) * scale);
  for (std::int64_t j = s.own_from; j < s.own_to; ++j)
    sum += x[j] = fast_exp((x[j] - largest) * scale);
  zero_unseen(x, s);
  return {sum, largest * scale + std::log(sum)};
}

/// Scores become probabilities p, dprobabilities become dscores p (dp - d) scale; both 0 where
/// nothing is seen.
template <class Real>
HONE_SIMD void softmax_backward_row(Real* x, Real* dp, const Seen& s, Real scale, Real lse,
                                    Real d) {
  const auto part = [&](std::int64_t from, std::int64_t to) {
    for (std::int64_t j = from; j < to; ++j) {
      x[j] = fast_exp(x[j] * scale - lse);
      dp[j] = x[j] * (dp[j] - d) * scale;
    }
  };
  part(s.before_from, s.before_to);
  part(s.own_from, s.own_to);
  zero_unseen(x, s);
  zero_unseen(dp, s);
}

template <class Real>
HONE_SIMD void divide(Real* x, std::int64_t n, Real by) {
  const Real factor = 1 / by;
  for (std::int64_t i = 0; i < n; ++i) x[i] *= factor;
}

template <class Real>
HONE_SIMD Real dot(const Real* a, const Real* b, std::int64_t n) {
  Real sum = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

/// One head's output of one part.
template <class Real>
void attend(const Layout<Real>& l, const Part& part, std::int64_t head, const Real* qkv,
            const Real* keys, Real* out, Real* lse, std::vector<Real>& scratch) {
  const std::int64_t D = l.s.dim, out_row = l.s.heads * D,
                     kv_head = head / (l.s.heads / l.s.kv_heads);
  const Real* values = qkv + l.v(kv_head);
  for (std::int64_t i = 0; i < part.own.tokens; i += kQueries) {
    const std::int64_t end = std::min(i + kQueries, part.own.tokens), rows = end - i,
                       stride = part.columns(end);
    scratch.resize(static_cast<std::size_t>(kQueries * stride));
    Real* scores = scratch.data();
    against_panels(qkv + (part.own.row + i) * l.row + l.q(head), l.row, rows, D, part, end, keys,
                   scores);
    Real sums[kQueries];
    for (std::int64_t r = 0; r < rows; ++r) {
      const auto row =
          softmax_row(scores + r * stride, seen_by(part, i + r, end, l.s.window), l.scale);
      sums[r] = row.sum;
      lse[part.own.row + i + r] = row.lse;
    }
    Real* o = out + (part.own.row + i) * out_row + head * D;
    small_matmul(rows, D, end, {scores + part.own_column(), stride, 1},
                 values + part.own.row * l.row, l.row, o, out_row, Write::Replace);
    if (part.before.tokens > 0)
      small_matmul(rows, D, part.before.tokens, {scores, stride, 1},
                   values + part.before.row * l.row, l.row, o, out_row, Write::Add);
    for (std::int64_t r = 0; r < rows; ++r) divide(o + r * out_row, D, sums[r]);
  }
}

/// What one head's backward pass reads beside the layout.
template <class Real>
struct BackwardInput {
  const Real *qkv, *out, *dout, *lse;  // lse of this head
  const Real *keys, *values;           // panels
};

/// One head of one part: its dq is written, its dk and dv are added (P_ij = e^(s_ij - lse_i), so
/// parts and heads that share keys simply add up).
template <class Real>
void attend_backward(const Layout<Real>& l, const Part& part, std::int64_t head,
                     const BackwardInput<Real>& in, Real* dqkv, Real* scores) {
  const std::int64_t D = l.s.dim, out_row = l.s.heads * D,
                     kv_head = head / (l.s.heads / l.s.kv_heads);
  for (std::int64_t i = 0; i < part.own.tokens; i += kQueries) {
    const std::int64_t end = std::min(i + kQueries, part.own.tokens), rows = end - i,
                       stride = part.columns(end);
    const std::int64_t first = part.own.row + i;
    const Real *q = in.qkv + first * l.row + l.q(head),
               *dout = in.dout + first * out_row + head * D;
    Real* dscores = scores + kQueries * stride;
    against_panels(q, l.row, rows, D, part, end, in.keys, scores);
    against_panels(dout, out_row, rows, D, part, end, in.values, dscores);
    for (std::int64_t r = 0; r < rows; ++r)
      softmax_backward_row(scores + r * stride, dscores + r * stride,
                           seen_by(part, i + r, end, l.s.window), l.scale, in.lse[first + r],
                           dot(dout + r * out_row, in.out + (first + r) * out_row + head * D, D));
    Real* dq = dqkv + first * l.row + l.q(head);
    const auto through = [&](const Run& keys, std::int64_t count, std::int64_t column,
                             Write write) {
      const std::int64_t k = keys.row * l.row + l.k(kv_head), v = keys.row * l.row + l.v(kv_head);
      small_matmul(rows, D, count, {dscores + column, stride, 1}, in.qkv + k, l.row, dq, l.row,
                   write);
      small_matmul(count, D, rows, {dscores + column, 1, stride}, q, l.row, dqkv + k, l.row,
                   Write::Add);
      small_matmul(count, D, rows, {scores + column, 1, stride}, dout, out_row, dqkv + v, l.row,
                   Write::Add);
    };
    through(part.own, end, part.own_column(), Write::Replace);
    if (part.before.tokens > 0) through(part.before, part.before.tokens, 0, Write::Add);
  }
}

/// Costliest first, so that the last pieces taken are small.
template <class T, class Cost>
void costliest_first(std::vector<T>& items, Cost cost) {
  std::stable_sort(items.begin(), items.end(),
                   [&](const T& a, const T& b) { return cost(a) > cost(b); });
}

template <class Real>
at::Tensor attend_all(const at::Tensor& qkv, const Segments& segments, const HeadShape& s,
                      AttentionTrace* trace) {
  const Layout<Real> l(s);
  std::vector<Part> parts;
  std::int64_t panels = 0;
  for (const auto& segment : segments) {
    const auto more = parts_of(segment, panels);
    panels = panels_of(more);
    parts.insert(parts.end(), more.begin(), more.end());
  }
  costliest_first(parts, [](const Part& part) { return part.cost(); });

  auto out = at::empty({qkv.size(0), s.heads * s.dim}, qkv.options());
  auto lse = at::empty({s.heads, qkv.size(0)}, qkv.options());
  auto keys = at::empty({s.kv_heads, panels, s.dim, kLanes}, qkv.options());
  const Real* in = qkv.const_data_ptr<Real>();
  Real *o = out.data_ptr<Real>(), *packed = keys.data_ptr<Real>(), *sums = lse.data_ptr<Real>();
  const auto kv_heads = static_cast<std::size_t>(s.kv_heads),
             heads = static_cast<std::size_t>(s.heads);
  each_piece<Real>(parts.size() * kv_heads, [&](std::size_t piece, auto&) {
    const auto& own = parts[piece / kv_heads].own;
    const auto h = static_cast<std::int64_t>(piece % kv_heads);
    pack_panels(in + own.row * l.row + l.k(h), l.row, own.tokens, s.dim,
                packed + (h * panels + own.panel) * s.dim * kLanes);
  });
  each_piece<Real>(parts.size() * heads, [&](std::size_t piece, std::vector<Real>& scratch) {
    const auto head = static_cast<std::int64_t>(piece % heads),
               kv_head = head / (s.heads / s.kv_heads);
    attend(l, parts[piece / heads], head, in, packed + kv_head * panels * s.dim * kLanes, o,
           sums + head * qkv.size(0), scratch);
  });
  if (trace) trace->lse = lse;
  return out;
}

template <class Real>
at::Tensor attend_all_backward(const at::Tensor& dout, const at::Tensor& qkv, const at::Tensor& out,
                               const Segments& segments, const HeadShape& s,
                               const AttentionTrace& trace) {
  const Layout<Real> l(s);
  auto dqkv = at::zeros_like(qkv);
  std::vector<std::vector<Part>> each;
  for (const auto& segment : segments) each.push_back(parts_of(segment, 0));
  costliest_first(each, [](const std::vector<Part>& parts) {
    return std::accumulate(parts.begin(), parts.end(), std::int64_t{0},
                           [](std::int64_t sum, const Part& part) { return sum + part.cost(); });
  });

  const Real *in = qkv.const_data_ptr<Real>(), *sums = trace.lse.const_data_ptr<Real>();
  const BackwardInput<Real> common{
      in, out.const_data_ptr<Real>(), dout.const_data_ptr<Real>(), nullptr, nullptr, nullptr};
  Real* dx = dqkv.data_ptr<Real>();
  const auto kv_heads = static_cast<std::size_t>(s.kv_heads);
  // A segment's keys of one head take gradients from all its queries, so they are one piece.
  each_piece<Real>(each.size() * kv_heads, [&](std::size_t piece, std::vector<Real>& scratch) {
    const auto& parts = each[piece / kv_heads];
    const auto h = static_cast<std::int64_t>(piece % kv_heads), group = s.heads / s.kv_heads;
    const std::int64_t packed = panels_of(parts) * s.dim * kLanes;
    std::int64_t columns = 0;
    for (const auto& part : parts) columns = std::max(columns, part.columns(part.own.tokens));
    scratch.resize(static_cast<std::size_t>(2 * packed + 2 * kQueries * columns));
    Real *keys = scratch.data(), *values = keys + packed, *scores = values + packed;
    for (const auto& part : parts) {
      const std::int64_t at = part.own.panel * s.dim * kLanes;
      pack_panels(in + part.own.row * l.row + l.k(h), l.row, part.own.tokens, s.dim, keys + at);
      pack_panels(in + part.own.row * l.row + l.v(h), l.row, part.own.tokens, s.dim, values + at);
    }
    for (const auto& part : parts) {
      for (std::int64_t g = 0; g < group; ++g) {
        auto input = common;
        const std::int64_t head = h * group + g;
        input.lse = sums + head * qkv.size(0);
        input.keys = keys;
        input.values = values;
        attend_backward(l, part, head, input, dx, scores);
      }
    }
  });
  return dqkv;
}

}  // namespace

std::int64_t Segment::tokens() const {
  return std::accumulate(responses.begin(), responses.end(), prompt);
}

at::Tensor attention(const at::Tensor& qkv, const Segments& segments, const HeadShape& s,
                     AttentionTrace* trace) {
  if (qkv.is_cuda()) return cuda::attention(qkv, segments, s, trace);
  return by_real(qkv, [&]<class Real> { return attend_all<Real>(qkv, segments, s, trace); });
}

at::Tensor attention_backward(const at::Tensor& dout, const at::Tensor& qkv, const at::Tensor& out,
                              const Segments& segments, const HeadShape& s,
                              const AttentionTrace& trace) {
  if (qkv.is_cuda()) return cuda::attention_backward(dout, qkv, out, segments, s, trace);
  return by_real(qkv, [&]<class Real> {
    return attend_all_backward<Real>(dout, qkv, out, segments, s, trace);
  });
}

}  // namespace hone::rl
