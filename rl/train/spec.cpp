#include "rl/train/spec.h"

#include <nlohmann/json.hpp>

#include <type_traits>
#include <variant>

#include "feedback/base/error.h"
#include "rl/ops/matmul.h"

namespace hone::rl {

TrainSpec::TrainSpec(std::string_view name, std::optional<LoraSpec> adapter)
    : method(&feedback::method(name)),
      lora(std::move(adapter)),
      settings(method->settings, lora.has_value()) {}

Decay TrainSpec::schedule() const {
  const auto& word = settings.word("schedule");
  return word == "constant" ? Decay::Constant : word == "linear" ? Decay::Linear : Decay::Cosine;
}

std::int64_t TrainSpec::micro_batch_tokens() const {
  // A device waits for the next pass to be started, a CPU for its caches to be filled.
  return settings.find_integer("micro_batch_tokens")
      .value_or(compute_device().is_cuda() ? 16384 : 512);
}

AdamWOptions TrainSpec::adamw() const {
  return {.beta1 = settings.number("adam_beta1"),
          .beta2 = settings.number("adam_beta2"),
          .eps = settings.number("adam_eps"),
          .weight_decay = settings.number("weight_decay"),
          .max_grad_norm = settings.number("max_grad_norm")};
}

void check_spec(const TrainSpec& s) {
  const auto need = [](bool holds, const char* field, const char* bounds) {
    if (!holds) throw Error(Code::Invalid, std::string(field) + " must be " + bounds, field);
  };
  need(s.checkpoint_every_steps >= 0, "checkpoint_every_steps", "0 (off) or more");
  need(s.checkpoint_every_s >= 0, "checkpoint_every_s", "0 (off) or more");
  if (s.lora) {
    need(s.lora->rank >= 1 && s.lora->rank <= 4096, "adapter.rank", "from 1 to 4096");
    need(s.lora->alpha > 0 && s.lora->alpha <= 1e6, "adapter.alpha", "above 0 and at most 1000000");
    need(!s.lora->targets.empty(), "adapter.targets", "a list of at least one linear layer");
  }
  if (s.win_rate) check_sampling(s.win_rate->options);
}

std::uint64_t TrainSpec::seed_of(Stream stream) const {
  const auto& apart = stream == Stream::Init     ? init_seed
                      : stream == Stream::Order  ? order_seed
                      : stream == Stream::Sample ? sample_seed
                                                 : std::nullopt;
  return apart.value_or(seed);
}

std::string mathematics_json(const TrainSpec& s) {
  nlohmann::ordered_json json;
  json["method"] = s.method->name;
  json["seed"] = s.seed;
  if (s.init_seed) json["init_seed"] = *s.init_seed;
  if (s.order_seed) json["order_seed"] = *s.order_seed;
  if (s.sample_seed) json["sample_seed"] = *s.sample_seed;
  if (s.lora)
    json["adapter"] = {{"type", "lora"},
                       {"rank", s.lora->rank},
                       {"alpha", s.lora->alpha},
                       {"targets", s.lora->targets}};
  else
    json["adapter"] = "none";
  auto& h = json["hyperparameters"];
  for (const auto& entry : s.settings.entries()) {
    if (!entry.setting->mathematics) continue;
    std::visit(
        [&, &name = entry.setting->name](const auto& v) {
          if constexpr (std::is_same_v<std::decay_t<decltype(v)>, std::monostate>)
            h[name] = nullptr;
          else
            h[name] = v;
        },
        entry.value);
  }
  if (s.reward) json["reward"] = nlohmann::ordered_json::parse(s.reward->canonical);
  if (s.gold) json["gold"] = nlohmann::ordered_json::parse(s.gold->canonical);
  if (!s.teacher_sha256.empty()) json["teacher_sha256"] = s.teacher_sha256;
  return json.dump();
}

}  // namespace hone::rl
