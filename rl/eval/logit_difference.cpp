#include "rl/eval/logit_difference.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "rl/model/forward.h"
#include "rl/ops/matmul.h"
#include "rl/ops/rowwise.h"

namespace hone::rl {
namespace {

constexpr std::array<std::string_view, 6> kTexts = {
    "The harbour was quiet that morning, and the three boats that had come in overnight lay side "
    "by "
    "side while their crews slept.",
    "def mean(values):\n    \"\"\"Arithmetic mean; 0 for an empty list.\"\"\"\n    return "
    "sum(values) / len(values) if values else 0\n",
    "If 17 boxes hold 23 pens each, there are 17 * 23 = 391 pens; 12.5 % of them are red.",
    "Bitte schreiben Sie mir, ob der Termin am Dienstag um 14:30 Uhr für Sie passt.",
    "今天的天气很好，我们去公园散步吧。",
    "{\"name\": \"kettle\", \"litres\": 1.7, \"colours\": [\"white\", \"black\"], \"stock\": null}",
};

// log sum exp of one row, f64.
double log_sum(const float* row, std::int64_t count) {
  const double top = *std::max_element(row, row + count);
  double sum = 0;
  for (std::int64_t i = 0; i < count; ++i) sum += std::exp(row[i] - top);
  return top + std::log(sum);
}

}  // namespace

std::vector<std::vector<std::int64_t>> probe_ids(const Tokenizer& tokenizer, std::int64_t limit) {
  std::vector<std::vector<std::int64_t>> texts;
  for (const auto text : kTexts) {
    auto ids = tokenizer.encode(text, true);
    if (static_cast<std::int64_t>(ids.size()) > limit) ids.resize(static_cast<std::size_t>(limit));
    if (!ids.empty()) texts.push_back(std::move(ids));
  }
  return texts;
}

at::Tensor probe_logits(const Model& model, const std::vector<std::vector<std::int64_t>>& texts) {
  std::int64_t total = 0;
  for (const auto& text : texts) total += static_cast<std::int64_t>(text.size());
  auto ids = at::empty({total}, at::kLong), positions = at::empty({total}, at::kLong);
  std::vector<Segment> segments;
  std::int64_t at = 0;
  for (const auto& text : texts) {
    const auto count = static_cast<std::int64_t>(text.size());
    Segment segment;
    segment.start = at;
    segment.prompt = count;
    segments.push_back(segment);
    for (std::int64_t i = 0; i < count; ++i) {
      ids.data_ptr<std::int64_t>()[at + i] = text[static_cast<std::size_t>(i)];
      positions.data_ptr<std::int64_t>()[at + i] = i;
    }
    at += count;
  }
  const auto x = forward(model, ids, positions, segments, nullptr);
  const auto normed = rms_norm(x, model.norm.value, model.config.rms_norm_eps, nullptr);
  return matmul_nt(normed, model.output().value).cpu();
}

LogitDifference compare_logits(const at::Tensor& one, const at::Tensor& other) {
  LogitDifference difference;
  difference.tokens = one.size(0);
  const auto V = one.size(1);
  for (std::int64_t t = 0; t < difference.tokens; ++t) {
    const float* a = one.const_data_ptr<float>() + t * V;
    const float* b = other.const_data_ptr<float>() + t * V;
    const double log_a = log_sum(a, V), log_b = log_sum(b, V);
    double kl = 0;
    for (std::int64_t i = 0; i < V; ++i) {
      const double apart = std::abs(static_cast<double>(a[i]) - b[i]);
      difference.max_abs = std::max(difference.max_abs, apart);
      kl += std::exp(a[i] - log_a) * ((a[i] - log_a) - (b[i] - log_b));
    }
    difference.kl += std::max(kl, 0.0);
    difference.same_top += std::max_element(a, a + V) - a == std::max_element(b, b + V) - b;
  }
  if (difference.tokens > 0) {
    difference.kl /= static_cast<double>(difference.tokens);
    difference.same_top /= static_cast<double>(difference.tokens);
  }
  return difference;
}

}  // namespace hone::rl
