#include "rl/ops/coarse_head.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <cmath>

#include "rl/ops/few_rows.h"
#include "rl/ops/simd.h"

namespace hone::rl {
namespace {

constexpr std::int64_t kRefined = 256;  // tokens of a row at most
constexpr float kNear = 12;             // nats below the likeliest, where few enough are so near

HONE_SIMD float largest_of(const float* x, std::int64_t n) {
  float m = x[0];
  for (std::int64_t i = 0; i < n; ++i) m = x[i] > m ? x[i] : m;
  return m;
}

HONE_SIMD std::int64_t count_above(const float* x, std::int64_t n, float least) {
  std::int64_t count = 0;
  for (std::int64_t from = 0; from < n; from += 4096) {
    const std::int64_t to = from + 4096 < n ? from + 4096 : n;
    std::int32_t some = 0;
    for (std::int64_t i = from; i < to; ++i) some += x[i] >= least ? 1 : 0;
    count += some;
  }
  return count;
}

}  // namespace

CoarseHead::CoarseHead(const at::Tensor& weight)
    : weight_(weight), coarse_(weight.to(at::kBFloat16)) {}

at::Tensor CoarseHead::logits(const at::Tensor& hidden,
                              std::span<const double> temperatures) const {
  const std::int64_t B = hidden.size(0), C = hidden.size(1), V = weight_.size(0);
  auto out = at::empty({B, V}, hidden.options());
  const float* x = hidden.const_data_ptr<float>();
  float* rows = out.data_ptr<float>();
  few_rows(B, V, C, x, static_cast<const std::uint16_t*>(coarse_.const_data_ptr()), nullptr, rows,
           Rounding::Weights);
  at::parallel_for(0, B, 1, [&](std::int64_t from, std::int64_t to) {
    for (std::int64_t b = from; b < to; ++b)
      refine(x + b * C, temperatures[static_cast<std::size_t>(b)], rows + b * V);
  });
  return out;
}

float CoarseHead::exact(const float* hidden, std::int64_t id) const {
  float out = 0;
  const std::int64_t C = weight_.size(1);
  few_rows(1, 1, C, hidden, weight_.const_data_ptr<float>() + id * C, nullptr, &out);
  return out;
}

void CoarseHead::refine(const float* hidden, double temperature, float* row) const {
  const std::int64_t V = weight_.size(0);
  const float largest = largest_of(row, V);
  if (!std::isfinite(largest)) return;  // what draws from it will say so
  const auto unit = static_cast<float>(temperature > 0 ? temperature : 1);
  float near = kNear * unit;
  while (near > 1e-3f * unit && count_above(row, V, largest - near) > kRefined) near *= 0.75f;
  const float least = largest - near;
  for (std::int64_t v = 0; v < V; ++v)
    if (row[v] >= least) row[v] = exact(hidden, v);
}

}  // namespace hone::rl
