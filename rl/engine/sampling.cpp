#include "rl/engine/sampling.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

#include "feedback/base/error.h"
#include "rl/ops/simd.h"

namespace hone::rl {
namespace {

constexpr std::int64_t kBlock = 512;

HONE_SIMD float largest_of(const float* x, std::int64_t n) {
  float m = x[0];
  for (std::int64_t i = 0; i < n; ++i) m = x[i] > m ? x[i] : m;
  return m;
}

/// out[i] = e^((x[i] - largest) * scale); sums of blocks of kBlock follow behind out[n].
HONE_SIMD void exponentials(const float* x, std::int64_t n, float largest, float scale,
                            float* out) {
  for (std::int64_t b = 0; b * kBlock < n; ++b) {
    const std::int64_t end = (b + 1) * kBlock < n ? (b + 1) * kBlock : n;
    float sum = 0;
    for (std::int64_t i = b * kBlock; i < end; ++i) {
      out[i] = fast_exp((x[i] - largest) * scale);
      sum += out[i];
    }
    out[n + b] = sum;
  }
}

/// The ids that top-k and top-p keep, likeliest first. `weights` are unnormalised probabilities.
std::vector<std::int64_t> kept_ids(const float* weights, std::int64_t n, double total,
                                   const SamplingOptions& options) {
  std::vector<std::int64_t> ids;
  // All ids below this weight together weigh less than what top-p leaves out: none of them is
  // needed.
  const double cut = options.top_k > 0 ? 0 : (1 - options.top_p) * total / static_cast<double>(n);
  for (std::int64_t i = 0; i < n; ++i)
    if (weights[i] >= cut) ids.push_back(i);
  const auto likelier = [&](std::int64_t a, std::int64_t b) {
    return weights[a] > weights[b] || (weights[a] == weights[b] && a < b);
  };
  const auto candidates = static_cast<std::int64_t>(ids.size());
  const std::int64_t bound = options.top_k > 0 ? std::min(options.top_k, candidates) : candidates;
  // Sorting all of a vocabulary is rarely needed: grow the sorted front until it holds enough.
  for (std::int64_t front = options.top_k > 0 ? bound : std::min<std::int64_t>(bound, 128);;
       front = std::min(bound, 8 * front)) {
    std::partial_sort(ids.begin(), ids.begin() + front, ids.end(), likelier);
    const double whole =
        options.top_k > 0
            ? std::accumulate(ids.begin(), ids.begin() + bound, 0.0,
                              [&](double s, std::int64_t i) { return s + weights[i]; })
            : total;
    double sum = 0;
    for (std::int64_t i = 0; i < front; ++i) {
      sum += weights[ids[static_cast<std::size_t>(i)]];
      if (sum >= options.top_p * whole) {
        ids.resize(static_cast<std::size_t>(i + 1));
        return ids;
      }
    }
    if (front == bound) {
      ids.resize(static_cast<std::size_t>(bound));
      return ids;
    }
  }
}

/// Logits as the penalty leaves them, behind `scratch`'s first `from` numbers.
const float* penalised(const float* logits, std::int64_t n, double penalty,
                       std::initializer_list<std::span<const std::int64_t>> seen, std::int64_t from,
                       std::vector<float>& scratch) {
  float* out = scratch.data() + from;
  std::copy_n(logits, n, out);
  const auto factor = static_cast<float>(penalty);
  for (const auto& ids : seen)
    for (const auto id : ids)  // from the logits, so that a token counts once
      out[id] = logits[id] > 0 ? logits[id] / factor : logits[id] * factor;
  return out;
}

double total_of(const float* weights, std::int64_t n) {
  double total = 0;
  for (std::int64_t b = 0; b * kBlock < n; ++b) total += weights[n + b];
  return total;
}

}  // namespace

void check_sampling(const SamplingOptions& o) {
  const auto refuse = [](const char* name, const char* bounds) {
    throw Error(Code::Invalid, std::string(name) + " must be " + bounds, name);
  };
  if (o.max_tokens < 1 || o.max_tokens > 1 << 20) refuse("max_tokens", "from 1 to 1048576");
  if (!(o.temperature >= 0 && o.temperature <= 100)) refuse("temperature", "from 0 to 100");
  if (o.temperature > 0 && o.temperature < 1e-3)
    refuse("temperature", "0 (greedy), or at least 0.001");
  if (!(o.top_p > 0 && o.top_p <= 1)) refuse("top_p", "above 0 and at most 1");
  if (o.top_k < 0) refuse("top_k", "0 (off) or more");
  if (!(o.min_p >= 0 && o.min_p <= 1)) refuse("min_p", "from 0 (off) to 1");
  if (!(o.repetition_penalty > 0 && o.repetition_penalty <= 100))
    refuse("repetition_penalty", "above 0 and at most 100; 1 is off");
}

Choice choose_token(const float* logits, std::int64_t n, const SamplingOptions& options,
                    double uniform, std::vector<float>& scratch,
                    std::initializer_list<std::span<const std::int64_t>> seen) {
  const bool greedy = options.temperature == 0;
  const float scale = greedy ? 1.0f : static_cast<float>(1 / options.temperature);
  const std::int64_t blocks = (n + kBlock - 1) / kBlock;
  const bool penalty = options.repetition_penalty != 1;
  scratch.resize(static_cast<std::size_t>(n + blocks + (penalty ? n : 0)));
  float* weights = scratch.data();
  float largest = largest_of(logits, n);
  exponentials(logits, n, largest, scale, weights);
  double total = total_of(weights, n);
  if (!std::isfinite(largest) || !std::isfinite(total))
    throw Error(Code::Invalid,
                "the model's output is not finite: its weights are damaged or diverged");
  const double log_total = static_cast<double>(largest) * scale + std::log(total);
  const auto choice = [&](std::int64_t id) {
    return Choice{id, static_cast<float>(static_cast<double>(logits[id]) * scale - log_total)};
  };

  const float* drawn = logits;
  if (penalty) {
    drawn = penalised(logits, n, options.repetition_penalty, seen, n + blocks, scratch);
    largest = largest_of(drawn, n);
    exponentials(drawn, n, largest, scale, weights);
    total = total_of(weights, n);
  }
  if (greedy) return choice(std::find(drawn, drawn + n, largest) - drawn);
  if (options.top_k > 0 || options.top_p < 1 || options.min_p > 0) {
    auto kept = kept_ids(weights, n, total, options);
    // The likeliest weighs e^0 = 1.
    const auto enough = [&](std::int64_t id) { return weights[id] >= options.min_p; };
    kept.erase(std::find_if_not(kept.begin() + 1, kept.end(), enough), kept.end());
    double mass = 0;
    for (const auto id : kept) mass += weights[id];
    double left = uniform * mass;
    for (const auto id : kept)
      if ((left -= weights[id]) < 0) return choice(id);
    return choice(kept.back());
  }
  double left = uniform * total;
  std::int64_t b = 0;
  while (b + 1 < blocks && left >= weights[n + b]) left -= weights[n + b++];
  std::int64_t last = b * kBlock;
  for (std::int64_t i = b * kBlock; i < std::min(n, (b + 1) * kBlock); ++i) {
    if (weights[i] <= 0) continue;
    last = i;
    if ((left -= weights[i]) < 0) break;
  }
  return choice(last);
}

}  // namespace hone::rl
