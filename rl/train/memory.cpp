#include "rl/train/memory.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <numeric>

#include "rl/ops/head.h"
#include "rl/train/failure.h"

namespace hone::rl {
namespace {

constexpr std::int64_t kFloat = 4;
constexpr std::int64_t kFixed =
    400 << 20;  // code, libtorch's own, allocator slack; measured 0.3-0.4 GB
constexpr double kShare = 0.92;

std::string gigabytes(std::int64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f GB", static_cast<double>(bytes) / 1e9);
  return text;
}

std::int64_t first_number(const char* path) {
  std::ifstream file(path);
  std::int64_t value = 0;
  return file >> value ? value : 0;  // "max" reads as 0
}

}  // namespace

std::string MemoryForecast::table() const {
  return "weights " + gigabytes(weights) + ", gradients " + gigabytes(gradients) + ", optimizer " +
         gigabytes(optimizer) + ", activations " + gigabytes(activations) + ", logits " +
         gigabytes(logits) + ", fixed " + gigabytes(fixed);
}

MemoryForecast forecast_memory(const ModelConfig& c, const TrainSpec& spec,
                               std::int64_t longest_row) {
  MemoryForecast f;
  std::int64_t parameters = 0;
  for (const auto& weight : expected_weights(c))
    parameters += std::accumulate(weight.shape.begin(), weight.shape.end(), std::int64_t{1},
                                  std::multiplies<>());
  const std::int64_t q = c.num_attention_heads * c.head_dim,
                     kv = c.num_key_value_heads * c.head_dim;
  std::int64_t trained = parameters;
  if (spec.lora) {
    trained = 0;
    for (const auto& target : spec.lora->targets) {
      const std::int64_t out = target == "q_proj"                             ? q
                               : target == "k_proj" || target == "v_proj"     ? kv
                               : target == "gate_proj" || target == "up_proj" ? c.intermediate_size
                                                                              : c.hidden_size;
      const std::int64_t in = target == "o_proj"      ? q
                              : target == "down_proj" ? c.intermediate_size
                                                      : c.hidden_size;
      trained += spec.lora->rank * (in + out) * c.num_hidden_layers;
    }
    parameters += trained;
  }
  f.weights = parameters * kFloat;
  f.gradients = trained * kFloat;
  f.optimizer = 2 * trained * kFloat;
  const std::int64_t tokens = std::max(spec.micro_batch_tokens, longest_row);
  const std::int64_t kept =
      2 * c.hidden_size + 2 * q + 2 * kv + 2 * c.intermediate_size;  // rl/model/forward.h
  const std::int64_t passing = 3 * c.hidden_size + 4 * c.intermediate_size;
  f.activations = tokens * (kept * c.num_hidden_layers + passing) * kFloat;
  f.logits = std::min(HeadOptions{}.logits_bytes, tokens * c.vocab_size * kFloat);
  f.fixed = kFixed;
  return f;
}

std::int64_t available_memory() {
  std::ifstream file("/proc/meminfo");
  std::string name, unit;
  std::int64_t kilobytes = 0, available = 0;
  while (file >> name >> kilobytes) {
    std::getline(file, unit);
    if (name == "MemAvailable:") available = kilobytes * 1024;
  }
  const std::int64_t limit = first_number("/sys/fs/cgroup/memory.max"),
                     used = first_number("/sys/fs/cgroup/memory.current");
  if (limit > 0 && limit - used < available) available = limit - used;
  return std::max<std::int64_t>(available, 0);
}

void check_memory(const MemoryForecast& forecast, std::int64_t available) {
  if (available == 0 ||
      static_cast<double>(forecast.total()) <= kShare * static_cast<double>(available))
    return;
  throw RunFailure(
      "user", "memory",
      "this run needs about " + gigabytes(forecast.total()) + " (" + forecast.table() + ") and " +
          gigabytes(available) +
          " are free. A smaller hyperparameters.micro_batch_tokens or max_tokens, or a "
          "LoRA adapter instead of full weights, needs less");
}

}  // namespace hone::rl
