#include "rl/ops/decode_attention.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "rl/ops/simd.h"
#include "rl/ops/small_matmul.h"

namespace hone::rl {
namespace {

/// scores[t] = q . keys[t]; returns the largest of them and `largest`.
HONE_SIMD float score_keys(const float* q, const float* keys, std::int64_t tokens, std::int64_t D,
                           float largest, float* scores) {
  for (std::int64_t t = 0; t < tokens; ++t) {
    const float* k = keys + t * D;
    float sum = 0;
    for (std::int64_t d = 0; d < D; ++d) sum += q[d] * k[d];
    scores[t] = sum;
    largest = sum > largest ? sum : largest;
  }
  return largest;
}

/// scores become e^(scores - largest); returns their sum.
HONE_SIMD float softmax_numerators(float* scores, std::int64_t n, float largest) {
  float sum = 0;
  for (std::int64_t t = 0; t < n; ++t) {
    scores[t] = fast_exp(scores[t] - largest);
    sum += scores[t];
  }
  return sum;
}

/// Of scores [n][kLanes] each lane's largest.
HONE_SIMD void largest_of_lanes(const float* scores, std::int64_t n, float* largest) {
  for (std::int64_t t = 0; t < n; ++t)
    for (std::int64_t l = 0; l < kLanes; ++l)
      largest[l] = scores[t * kLanes + l] > largest[l] ? scores[t * kLanes + l] : largest[l];
}

/// The same of every lane at once; `sums` of each.
HONE_SIMD void lanes_numerators(float* scores, std::int64_t n, const float* largest, float* sums) {
  for (std::int64_t t = 0; t < n; ++t)
    for (std::int64_t l = 0; l < kLanes; ++l) {
      scores[t * kLanes + l] = fast_exp(scores[t * kLanes + l] - largest[l]);
      sums[l] += scores[t * kLanes + l];
    }
}

/// out += sum over t of weights[t] * values[t]; four tokens a turn, so out is loaded a quarter as
/// often.
HONE_SIMD void mix_values(const float* weights, const float* values, std::int64_t tokens,
                          std::int64_t D, float* out) {
  std::int64_t t = 0;
  for (; t + 4 <= tokens; t += 4) {
    const float *v0 = values + t * D, *v1 = v0 + D, *v2 = v1 + D, *v3 = v2 + D;
    const float w0 = weights[t], w1 = weights[t + 1], w2 = weights[t + 2], w3 = weights[t + 3];
    for (std::int64_t d = 0; d < D; ++d)
      out[d] += (w0 * v0[d] + w1 * v1[d]) + (w2 * v2[d] + w3 * v3[d]);
  }
  for (; t < tokens; ++t)
    for (std::int64_t d = 0; d < D; ++d) out[d] += weights[t] * values[t * D + d];
}

}  // namespace

void store_kv(const float* qkv, std::int64_t rows, const HeadShape& s, float* piece,
              std::int64_t capacity, std::int64_t at) {
  const std::int64_t stride = (s.heads + 2 * s.kv_heads) * s.dim;
  for (std::int64_t h = 0; h < s.kv_heads; ++h) {
    for (std::int64_t which = 0; which < 2; ++which) {
      const float* from = qkv + (s.heads + which * s.kv_heads + h) * s.dim;
      float* to = piece + ((h * 2 + which) * capacity + at) * s.dim;
      for (std::int64_t r = 0; r < rows; ++r) std::copy_n(from + r * stride, s.dim, to + r * s.dim);
    }
  }
}

namespace {

/// Keys and values of one kv head in one piece, from the first token inside the window.
struct Seen {
  const float *keys, *values;
  std::int64_t tokens;
};

/// Of a piece whose first `out` tokens lie outside the window.
Seen seen_of(const KvPiece& piece, std::int64_t kv_head, std::int64_t out, std::int64_t D) {
  const float* keys = piece.data + kv_head * 2 * piece.capacity * D;
  return {keys + out * D, keys + (piece.capacity + out) * D, piece.tokens - out};
}

/// Heads of one or several sequences that look at the same keys of a prompt, one to a lane: of
/// `group` heads a sequence, counted from the first of `sequence`, those from `first` on.
struct Lanes {
  std::int64_t kv_head, group, sequence, first, count;

  std::int64_t sequence_of(std::int64_t lane) const { return sequence + (first + lane) / group; }
  std::int64_t head_of(std::int64_t lane) const { return kv_head * group + (first + lane) % group; }
};

/// Tokens of prompt and own that lie outside the window.
std::pair<std::int64_t, std::int64_t> outside(const KvPair& pair, std::int64_t window) {
  const std::int64_t out =
      window == 0 ? 0 : std::max<std::int64_t>(0, pair.prompt.tokens + pair.own.tokens - window);
  const std::int64_t of_prompt = std::min(out, pair.prompt.tokens);
  return {of_prompt, out - of_prompt};
}

/// Up to a register's lanes of heads each; a prompt's samples follow each other.
std::vector<Lanes> split(const std::vector<KvPair>& sequences, const HeadShape& s) {
  std::vector<Lanes> all;
  const auto B = static_cast<std::int64_t>(sequences.size());
  for (std::int64_t from = 0, to = 0; from < B; from = to) {
    const auto& pair = sequences[static_cast<std::size_t>(from)];
    for (to = from + 1; to < B; ++to) {
      const auto& next = sequences[static_cast<std::size_t>(to)];
      if (next.prompt.data != pair.prompt.data ||
          outside(next, s.window).first != outside(pair, s.window).first)
        break;
    }
    const std::int64_t group = s.heads / s.kv_heads, heads = (to - from) * group;
    for (std::int64_t h = 0; h < s.kv_heads; ++h)
      for (std::int64_t first = 0; first < heads; first += kLanes)
        all.push_back({h, group, from, first, std::min(kLanes, heads - first)});
  }
  return all;
}

/// What one thread works in.
struct Room {
  std::vector<float> panel, scores, own_scores, mixed;
};

/// Every lane's q, scaled and turned on its side: panel [D][kLanes].
void turn_queries(const Lanes& lanes, const float* qkv, const HeadShape& s,
                  std::vector<float>& panel) {
  const std::int64_t D = s.dim, stride = (s.heads + 2 * s.kv_heads) * D;
  const auto scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(D)));
  panel.assign(static_cast<std::size_t>(D * kLanes), 0);
  for (std::int64_t l = 0; l < lanes.count; ++l) {
    const float* q = qkv + lanes.sequence_of(l) * stride + lanes.head_of(l) * D;
    for (std::int64_t d = 0; d < D; ++d)
      panel[static_cast<std::size_t>(d * kLanes + l)] = scale * q[d];
  }
}

/// The keys that are one sample's alone, and what its head gives them.
struct Own {
  Seen seen;
  float* scores;
};

/// Every lane's; each lane's `largest` takes them in.
std::vector<Own> score_own(const Lanes& lanes, const std::vector<KvPair>& sequences,
                           const HeadShape& s, Room& room, float* largest) {
  std::vector<Own> all;
  std::int64_t tokens = 0;
  for (std::int64_t l = 0; l < lanes.count; ++l) {
    const auto& pair = sequences[static_cast<std::size_t>(lanes.sequence_of(l))];
    const auto seen = seen_of(pair.own, lanes.kv_head, outside(pair, s.window).second, s.dim);
    all.push_back({seen, nullptr});
    tokens += seen.tokens;
  }
  room.own_scores.resize(static_cast<std::size_t>(tokens));
  float* next = room.own_scores.data();
  std::vector<float> q(static_cast<std::size_t>(s.dim));
  for (std::int64_t l = 0; l < lanes.count; ++l) {
    auto& [seen, scores] = all[static_cast<std::size_t>(l)];
    scores = std::exchange(next, next + seen.tokens);
    for (std::int64_t d = 0; d < s.dim; ++d)
      q[static_cast<std::size_t>(d)] = room.panel[static_cast<std::size_t>(d * kLanes + l)];
    largest[l] = score_keys(q.data(), seen.keys, seen.tokens, s.dim, largest[l], scores);
  }
  return all;
}

/// The prompt's keys and values meet all lanes at once, a lane's own it alone; one softmax over
/// both.
void attend(const Lanes& lanes, const float* qkv, const std::vector<KvPair>& sequences,
            const HeadShape& s, float* out, Room& room) {
  const std::int64_t D = s.dim;
  turn_queries(lanes, qkv, s, room.panel);

  const auto& first = sequences[static_cast<std::size_t>(lanes.sequence)];
  const Seen prompt = seen_of(first.prompt, lanes.kv_head, outside(first, s.window).first, D);
  room.scores.resize(static_cast<std::size_t>(prompt.tokens * kLanes));
  float* scores = room.scores.data();
  matmul_panels<float>(prompt.tokens, D, {prompt.keys, D, 1}, room.panel.data(), 1, scores, kLanes);
  float largest[kLanes], sums[kLanes] = {};
  std::fill_n(largest, kLanes, -std::numeric_limits<float>::infinity());
  largest_of_lanes(scores, prompt.tokens, largest);
  const auto own = score_own(lanes, sequences, s, room, largest);

  lanes_numerators(scores, prompt.tokens, largest, sums);
  room.mixed.resize(static_cast<std::size_t>(kLanes * D));
  small_matmul<float>(lanes.count, D, prompt.tokens, {scores, 1, kLanes}, prompt.values, D,
                      room.mixed.data(), D, Write::Replace);
  for (std::int64_t l = 0; l < lanes.count; ++l) {
    const auto& [seen, weights] = own[static_cast<std::size_t>(l)];
    sums[l] += softmax_numerators(weights, seen.tokens, largest[l]);
    float* mixed = room.mixed.data() + l * D;
    mix_values(weights, seen.values, seen.tokens, D, mixed);
    float* row = out + (lanes.sequence_of(l) * s.heads + lanes.head_of(l)) * D;
    for (std::int64_t d = 0; d < D; ++d) row[d] = mixed[d] / sums[l];
  }
}

}  // namespace

at::Tensor decode_attention(const at::Tensor& qkv, const std::vector<KvPair>& sequences,
                            const HeadShape& s) {
  auto out = at::empty({qkv.size(0), s.heads * s.dim}, qkv.options());
  const auto lanes = split(sequences, s);
  const float* in = qkv.const_data_ptr<float>();
  float* result = out.data_ptr<float>();
  at::parallel_for(0, static_cast<std::int64_t>(lanes.size()), 1,
                   [&](std::int64_t from, std::int64_t to) {
                     Room room;
                     for (std::int64_t i = from; i < to; ++i)
                       attend(lanes[static_cast<std::size_t>(i)], in, sequences, s, result, room);
                   });
  return out;
}

}  // namespace hone::rl
