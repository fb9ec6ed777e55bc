#include "rl/train/spec.h"

#include <nlohmann/json.hpp>

#include <cmath>

#include "feedback/base/error.h"

namespace hone::rl {
namespace {

const char* name_of(Decay decay) {
  switch (decay) {
    case Decay::Constant:
      return "constant";
    case Decay::Linear:
      return "linear";
    case Decay::Cosine:
      return "cosine";
  }
  return "?";
}

}  // namespace

void check_spec(const TrainSpec& s) {
  const auto need = [](bool holds, const char* field, const char* bounds) {
    if (!holds) throw Error(Code::Invalid, std::string(field) + " must be " + bounds, field);
  };
  // Names that mean two things in the field are refused with the ones that mean one.
  if (s.method == "dpo" || s.method == "sigmoid" || s.method == "ipo" || s.method == "grpo")
    throw Error(Code::Invalid,
                "\"" + s.method + "\" names more than one loss; this build trains dpo.sigmoid.sum",
                "method");
  if (s.method != "dpo.sigmoid.sum")
    throw Error(Code::Invalid,
                "there is no method \"" + s.method + "\" in this build; it trains dpo.sigmoid.sum",
                "method");
  need(s.learning_rate > 0 && s.learning_rate <= 1, "hyperparameters.learning_rate",
       "above 0 and at most 1");
  need(s.batch_size >= 1 && s.batch_size <= 65536, "hyperparameters.batch_size", "from 1 to 65536");
  need(s.epochs >= 1 && s.epochs <= 1000, "hyperparameters.epochs", "from 1 to 1000");
  need(!s.max_steps || (*s.max_steps >= 1 && *s.max_steps <= 10'000'000),
       "hyperparameters.max_steps", "from 1 to 10000000, or null");
  need(s.warmup_ratio >= 0 && s.warmup_ratio <= 1, "hyperparameters.warmup_ratio", "from 0 to 1");
  need(s.beta > 0 && s.beta <= 100, "hyperparameters.beta", "above 0 and at most 100");
  need(s.max_tokens >= 2 && s.max_tokens <= 1 << 20, "hyperparameters.max_tokens",
       "from 2 to 1048576");
  need(s.micro_batch_tokens >= 1 && s.micro_batch_tokens <= 1 << 20,
       "hyperparameters.micro_batch_tokens", "from 1 to 1048576");
  need(s.adamw.max_grad_norm >= 0 && std::isfinite(s.adamw.max_grad_norm),
       "hyperparameters.max_grad_norm", "0 (no clipping) or more");
  need(s.adamw.weight_decay >= 0 && s.adamw.weight_decay <= 1, "hyperparameters.weight_decay",
       "from 0 to 1");
  need(s.adamw.beta1 >= 0 && s.adamw.beta1 < 1, "hyperparameters.adam_beta1", "from 0 to below 1");
  need(s.adamw.beta2 >= 0 && s.adamw.beta2 < 1, "hyperparameters.adam_beta2", "from 0 to below 1");
  need(s.adamw.eps > 0 && s.adamw.eps <= 0.01, "hyperparameters.adam_eps",
       "above 0 and at most 0.01");
  need(s.checkpoint_every_steps >= 0, "checkpoint_every_steps", "0 (off) or more");
  need(s.checkpoint_every_s >= 0, "checkpoint_every_s", "0 (off) or more");
  if (s.lora) {
    need(s.lora->rank >= 1 && s.lora->rank <= 4096, "adapter.rank", "from 1 to 4096");
    need(s.lora->alpha > 0 && s.lora->alpha <= 1e6, "adapter.alpha", "above 0 and at most 1000000");
    need(!s.lora->targets.empty(), "adapter.targets", "a list of at least one linear layer");
  }
  if (s.win_rate) check_sampling(s.win_rate->options);
}

std::string mathematics_json(const TrainSpec& s) {
  nlohmann::ordered_json json;
  json["method"] = s.method;
  json["seed"] = s.seed;
  if (s.lora)
    json["adapter"] = {{"type", "lora"},
                       {"rank", s.lora->rank},
                       {"alpha", s.lora->alpha},
                       {"targets", s.lora->targets}};
  else
    json["adapter"] = "none";
  auto& h = json["hyperparameters"];
  h["learning_rate"] = s.learning_rate;
  h["batch_size"] = s.batch_size;
  h["epochs"] = s.epochs;
  if (s.max_steps)
    h["max_steps"] = *s.max_steps;
  else
    h["max_steps"] = nullptr;
  h["schedule"] = name_of(s.schedule);
  h["warmup_ratio"] = s.warmup_ratio;
  h["beta"] = s.beta;
  h["max_grad_norm"] = s.adamw.max_grad_norm;
  h["max_tokens"] = s.max_tokens;
  h["micro_batch_tokens"] = s.micro_batch_tokens;
  h["dtype"] = s.bf16 ? "bfloat16" : "float32";
  h["weight_decay"] = s.adamw.weight_decay;
  h["adam_beta1"] = s.adamw.beta1;
  h["adam_beta2"] = s.adamw.beta2;
  h["adam_eps"] = s.adamw.eps;
  return json.dump();
}

}  // namespace hone::rl
