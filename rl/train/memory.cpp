#include "rl/train/memory.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <functional>
#include <vector>

#include "rl/ops/cuda/device.h"
#include "rl/ops/few_rows.h"
#include "rl/ops/head.h"
#include "rl/ops/matmul.h"
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
         gigabytes(logits) + ", fixed " + gigabytes(fixed) +
         (others > 0 ? ", other models " + gigabytes(others) : "") +
         (cache > 0 ? ", keys and values " + gigabytes(cache) : "");
}

MemoryForecast forecast_memory(const ModelConfig& c, const TrainSpec& spec,
                               std::int64_t longest_row, std::int64_t others) {
  MemoryForecast f;
  f.others = others;
  std::int64_t parameters = rl::parameters(c);
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
  // bf16: the blocks' matrices a second time, or, frozen, in half the space.
  const std::int64_t blocks = c.num_hidden_layers * (c.hidden_size * (2 * q + 2 * kv) +
                                                     3 * c.hidden_size * c.intermediate_size);
  f.weights = parameters * kFloat;
  if (spec.bf16()) f.weights += (spec.lora ? -blocks : blocks) * kFloat / 2;
  // On a device head and adapters are rounded too, and so is what flows between products.
  const bool rounded = spec.bf16() && compute_device().is_cuda();
  if (rounded) f.weights += (c.vocab_size * c.hidden_size + (spec.lora ? trained : 0)) * kFloat / 2;
  const std::int64_t flowing = rounded ? kFloat / 2 : kFloat;
  // On the CPU the MLP's are rounded too, where no adapter wants them whole.
  const std::int64_t in_mlp = rounded || (spec.bf16() && !spec.lora) ? kFloat / 2 : kFloat;
  f.gradients = trained * kFloat;
  f.optimizer = 2 * trained * kFloat;
  const std::int64_t tokens = std::max(spec.micro_batch_tokens(), longest_row);
  const std::int64_t kept = 2 * c.hidden_size * kFloat + (2 * q + 2 * kv) * flowing +
                            2 * c.intermediate_size * in_mlp;  // BlockTrace
  const std::int64_t passing = 3 * c.hidden_size * kFloat + 4 * c.intermediate_size * in_mlp;
  const std::int64_t bytes = spec.activation_checkpointing()
                                 ? c.hidden_size * c.num_hidden_layers * kFloat + kept
                                 : kept * c.num_hidden_layers;
  f.activations = tokens * (bytes + passing);
  f.logits = std::min(HeadOptions{}.logits_bytes, tokens * c.vocab_size * kFloat);
  if (rounded) f.logits += f.logits / 2;  // their gradient
  f.fixed = kFixed;
  return f;
}

std::int64_t available_memory() {
  if (compute_device().is_cuda()) return cuda::free_memory();
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

namespace {

bool fits(const MemoryForecast& forecast, std::int64_t available) {
  return static_cast<double>(forecast.total()) <= kShare * static_cast<double>(available);
}

/// Changes in the order of what they cost: nothing of the result, then time, then what is trained.
struct Change {
  std::string words;
  TrainSpec spec;
  std::int64_t longest_row;
};
std::vector<Change> changes(const TrainSpec& spec, std::int64_t longest_row) {
  std::vector<Change> out;
  const auto add = [&](std::string words, const std::function<void(TrainSpec&)>& change) {
    Change one{std::move(words), spec, longest_row};
    change(one.spec);
    out.push_back(std::move(one));
  };
  const auto small = [](TrainSpec& s) { s.settings.set("micro_batch_tokens", 1); };
  const auto checkpointed = [&](TrainSpec& s) {
    small(s);
    s.settings.set("activation_checkpointing", true);
  };
  const auto adapter = [](TrainSpec& s) { s.lora = LoraSpec{}; };
  const std::string fewer =
      "hyperparameters.micro_batch_tokens: " + std::to_string(longest_row) + " (a pair at a time)";
  const std::string again = "hyperparameters.activation_checkpointing: true";
  add(fewer, small);
  add(again, [](TrainSpec& s) { s.settings.set("activation_checkpointing", true); });
  add(fewer + " with " + again, checkpointed);
  if (!spec.lora) {
    add("a LoRA adapter instead of full weights", adapter);
    add("a LoRA adapter with " + fewer + " and " + again, [&](TrainSpec& s) {
      adapter(s);
      checkpointed(s);
    });
  }
  return out;
}

}  // namespace

bool fits_memory(const MemoryForecast& forecast, std::int64_t available) {
  return available == 0 || fits(forecast, available);
}

std::string smallest_change(const ModelConfig& config, const TrainSpec& spec,
                            std::int64_t longest_row, std::int64_t available, std::int64_t others) {
  for (const auto& change : changes(spec, longest_row)) {
    const auto forecast = forecast_memory(config, change.spec, change.longest_row, others);
    if (fits(forecast, available))
      return change.words + " would need " + gigabytes(forecast.total());
  }
  const auto least = changes(spec, longest_row).back();
  const auto forecast = forecast_memory(config, least.spec, least.longest_row, others);
  const double room = kShare * static_cast<double>(available - forecast.fixed) /
                      static_cast<double>(forecast.total() - forecast.fixed);
  const auto millions = static_cast<std::int64_t>(
      std::max(0.0, room * static_cast<double>(parameters(config)) / 1e6));
  return "no setting makes room for this base, not even " + least.words + "; one of about " +
         std::to_string(millions) + " million parameters would fit";
}

void check_memory(const ModelConfig& config, const TrainSpec& spec, std::int64_t longest_row,
                  std::int64_t available, std::int64_t others) {
  const auto forecast = forecast_memory(config, spec, longest_row, others);
  if (fits_memory(forecast, available)) return;
  throw RunFailure("user", "memory",
                   "this run needs about " + gigabytes(forecast.total()) + " (" + forecast.table() +
                       ") and " + gigabytes(available) + " are free; " +
                       smallest_change(config, spec, longest_row, available, others));
}

MemoryForecast forecast_sampling(const ModelConfig& c, const SamplingNeed& need) {
  MemoryForecast f;
  const std::int64_t q = c.num_attention_heads * c.head_dim,
                     kv = c.num_key_value_heads * c.head_dim;
  const std::int64_t blocks = c.num_hidden_layers * (c.hidden_size * (2 * q + 2 * kv) +
                                                     3 * c.hidden_size * c.intermediate_size);
  // rl/engine/sampler.cpp: a slot holds as many tokens as a sample may have.
  const bool rounded = need.bf16 && compute_device().is_cuda();
  const std::int64_t token = c.num_hidden_layers * 2 * kv * (rounded ? kFloat / 2 : kFloat),
                     slot = token * std::min(need.max_tokens, c.max_position_embeddings);
  const std::int64_t slots = std::clamp<std::int64_t>(
      need.cache_bytes / std::max<std::int64_t>(slot, 1), 1, std::max<std::int64_t>(need.slots, 1));
  f.cache = slots * slot + need.prompt_tokens * token;
  f.activations = std::max(need.prefill_tokens, slots) *
                  (4 * c.hidden_size + 2 * q + 2 * kv + 3 * c.intermediate_size) * kFloat;
  // A row for each prompt, kept until its samples began, and one for each sample.
  f.logits = 2 * slots * c.vocab_size * kFloat;
  f.fixed = kFixed;
  const std::int64_t table = c.vocab_size * c.hidden_size;
  f.weights = parameters(c) * kFloat;
  if (rounded)  // the device keeps embedding and head in f32 and a rounded head beside them
    f.weights += (table - blocks) * kFloat / 2;
  else if (need.bf16)  // while the first is read it is there in f32 too
    f.weights = std::max(parameters(c) * kFloat / 2, table * kFloat * 3 / 2);
  return f;
}

std::string sampling_memory_problem(const ModelConfig& config, const SamplingNeed& need,
                                    std::int64_t available) {
  const auto wanted = forecast_sampling(config, need);
  if (available == 0 || fits(wanted, available)) return "";
  std::string out = "sampling would take about " + gigabytes(wanted.total()) + " (" +
                    wanted.table() + ") and " + gigabytes(available) + " are free; ";
  const auto tried = [&](const SamplingNeed& change, const std::string& words) {
    const auto forecast = forecast_sampling(config, change);
    if (!fits(forecast, available)) return false;
    out += words + " would need " + gigabytes(forecast.total());
    return true;
  };
  // From what costs nothing of the result to what costs some of it, by the settings' own names: a
  // flag of the tools, a field of a job.
  auto fewer = need;
  while (fewer.slots > 1) {
    fewer.slots /= 2;
    if (tried(fewer, "slots " + std::to_string(fewer.slots))) return out;
  }
  const std::string alone = need.slots > 1 ? "slots 1 and " : "";
  if (!need.bf16) {
    auto rounded = need;
    rounded.bf16 = true;
    if (tried(rounded, "dtype bfloat16")) return out;
    rounded.slots = 1;
    if (need.slots > 1 && tried(rounded, alone + "dtype bfloat16")) return out;
  }
  auto shorter = fewer;
  while (shorter.max_tokens > 16) {
    shorter.max_tokens /= 2;
    if (tried(shorter, alone + "max_tokens " + std::to_string(shorter.max_tokens))) return out;
  }
  return out + "no setting makes room for this base; take a smaller one";
}

}  // namespace hone::rl
