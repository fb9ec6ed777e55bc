#include "rl/ops/decode_attention.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>

#include "rl/ops/simd.h"

namespace hone::rl {
namespace {

/// scores[t] = scale * q . keys[t]
HONE_SIMD void score_keys(const float* q, const float* keys, std::int64_t tokens, std::int64_t D,
                          float scale, float* scores) {
  for (std::int64_t t = 0; t < tokens; ++t) {
    const float* k = keys + t * D;
    float sum = 0;
    for (std::int64_t d = 0; d < D; ++d) sum += q[d] * k[d];
    scores[t] = sum * scale;
  }
}

/// scores become e^(scores - largest); returns their sum.
HONE_SIMD float softmax_numerators(float* scores, std::int64_t n) {
  float largest = scores[0];
  for (std::int64_t t = 0; t < n; ++t) largest = scores[t] > largest ? scores[t] : largest;
  float sum = 0;
  for (std::int64_t t = 0; t < n; ++t) {
    scores[t] = fast_exp(scores[t] - largest);
    sum += scores[t];
  }
  return sum;
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

at::Tensor decode_attention(const at::Tensor& qkv, const std::vector<KvPair>& sequences,
                            const HeadShape& s) {
  const std::int64_t B = qkv.size(0), D = s.dim, group = s.heads / s.kv_heads, stride = qkv.size(1);
  const auto scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(D)));
  auto out = at::empty({B, s.heads * D}, qkv.options());
  const float* in = qkv.const_data_ptr<float>();
  float* result = out.data_ptr<float>();
  // KV heads run outermost in a task: samples of one prompt follow each other and find its keys in
  // cache.
  at::parallel_for(0, s.kv_heads * B, 1, [&](std::int64_t from, std::int64_t to) {
    std::vector<float> scores;
    for (std::int64_t task = from; task < to; ++task) {
      const std::int64_t h = task / B, b = task % B;
      const auto& pair = sequences[static_cast<std::size_t>(b)];
      // Of the prompt's keys and its own, those inside the window.
      const std::int64_t all = pair.prompt.tokens + pair.own.tokens,
                         first = s.window == 0 ? 0 : std::max<std::int64_t>(0, all - s.window),
                         prompt_from = std::min(first, pair.prompt.tokens),
                         P = pair.prompt.tokens - prompt_from, n = all - first;
      const float* prompt = pair.prompt.data + (h * 2 * pair.prompt.capacity + prompt_from) * D;
      const float* own = pair.own.data + (h * 2 * pair.own.capacity + (first - prompt_from)) * D;
      scores.resize(static_cast<std::size_t>(n));
      for (std::int64_t g = 0; g < group; ++g) {
        const std::int64_t head = h * group + g;
        const float* q = in + b * stride + head * D;
        score_keys(q, prompt, P, D, scale, scores.data());
        score_keys(q, own, n - P, D, scale, scores.data() + P);
        const float sum = softmax_numerators(scores.data(), n);
        float* row = result + b * s.heads * D + head * D;
        std::fill_n(row, D, 0.0f);
        mix_values(scores.data(), prompt + pair.prompt.capacity * D, P, D, row);
        mix_values(scores.data() + P, own + pair.own.capacity * D, n - P, D, row);
        for (std::int64_t d = 0; d < D; ++d) row[d] /= sum;
      }
    }
  });
  return out;
}

}  // namespace hone::rl
