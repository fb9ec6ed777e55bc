#include "services/server/json/run_spec.h"

#include <algorithm>
#include <array>

#include "services/server/json/values.h"

namespace hone::server {
namespace {

using nlohmann::json;
using shared::Fields;

constexpr const char* kMethod = "dpo.sigmoid.sum";
constexpr std::array kTargets{"q_proj",    "k_proj",  "v_proj",   "o_proj",
                              "gate_proj", "up_proj", "down_proj"};

void check_method(Fields& body, const std::string& method) {
  if (method != kMethod)
    body.refuse("method", "\"" + method.substr(0, 100) +
                              "\" is not a method of this server; it carries out: " + kMethod);
}

/// Registry names stand in paths and file names.
void check_model_name(Fields& body, const std::string& name) {
  const auto good = [](unsigned char c) {
    return std::isalnum(c) || c == '-' || c == '_' || c == '.';
  };
  if (!std::all_of(name.begin(), name.end(), good) ||
      !std::isalnum(static_cast<unsigned char>(name.front())))
    body.refuse("model",
                "may hold Latin letters, digits and . - _ and begins with a letter or digit");
}

/// "none", "lora", or the object with what it leaves open filled in.
json parse_adapter(Fields& body) {
  const json* given = body.find_value("adapter");
  const bool words = given && given->is_string();
  if (!given || (words && *given == "none")) return "none";
  if (words && *given != "lora")
    body.refuse("adapter", "must be none, lora, or an object of type lora");

  const json empty = json::object();
  Fields adapter(words ? empty : *given, body.at("adapter"));
  if (!words) adapter.word("type", {"lora"});
  const std::int64_t rank = adapter.find_integer("rank", 1, 512).value_or(16);
  json out{
      {"type", "lora"},
      {"rank", rank},
      {"alpha", adapter.find_number("alpha", 1e-3, 1e6).value_or(2 * static_cast<double>(rank))},
      {"targets", kTargets}};
  if (adapter.has("targets")) {
    const auto targets = adapter.texts("targets", {1, 100}, kTargets.size());
    if (targets.empty()) adapter.refuse("targets", "names no layer");
    for (std::size_t i = 0; i < targets.size(); ++i) {
      if (std::find(kTargets.begin(), kTargets.end(), targets[i]) == kTargets.end())
        adapter.refuse("targets", "\"" + targets[i] +
                                      "\" is not a layer that can be adapted; there are " +
                                      json(kTargets).dump());
      if (std::find(targets.begin(), targets.begin() + static_cast<std::ptrdiff_t>(i),
                    targets[i]) != targets.begin() + static_cast<std::ptrdiff_t>(i))
        adapter.refuse("targets", "\"" + targets[i] + "\" is named twice");
    }
    out["targets"] = targets;
  }
  adapter.done();
  return out;
}

/// The house's defaults are those of the DPO paper and TRL, for thousands of pairs: small sets want
/// a higher rate and more epochs, named in the spec.
json parse_hyperparameters(Fields& body, bool lora) {
  const json empty = json::object();
  const json* given = body.find_value("hyperparameters");
  Fields h(given ? *given : empty, body.at("hyperparameters"));
  const auto max_steps = h.find_integer("max_steps", 1, 10'000'000);
  json out{
      {"learning_rate", h.find_number("learning_rate", 1e-12, 1).value_or(lora ? 1e-5 : 1e-6)},
      {"batch_size", h.find_integer("batch_size", 1, 65'536).value_or(64)},
      {"epochs", h.find_integer("epochs", 1, 1000).value_or(1)},
      {"max_steps", or_null(max_steps)},
      {"schedule", h.find_word("schedule", {"cosine", "linear", "constant"}).value_or("cosine")},
      {"warmup_ratio", h.find_number("warmup_ratio", 0, 1).value_or(0.1)},
      {"beta", h.find_number("beta", 1e-6, 100).value_or(0.1)},
      {"max_grad_norm", h.find_number("max_grad_norm", 0, 1e6).value_or(1.0)},
      {"max_tokens", h.find_integer("max_tokens", 2, 1 << 20).value_or(1024)},
      {"micro_batch_tokens", h.find_integer("micro_batch_tokens", 1, 1 << 20).value_or(512)},
      {"dtype", h.find_word("dtype", {"float32", "bfloat16"}).value_or("float32")},
      {"activation_checkpointing", h.find_boolean("activation_checkpointing").value_or(false)},
      {"weight_decay", h.find_number("weight_decay", 0, 1).value_or(0.0)},
      {"adam_beta1", h.find_number("adam_beta1", 0, 0.999999).value_or(0.9)},
      {"adam_beta2", h.find_number("adam_beta2", 0, 0.9999999).value_or(0.999)},
      {"adam_eps", h.find_number("adam_eps", 1e-20, 0.01).value_or(1e-8)}};
  h.done();
  return out;
}

/// Held-out pairs are always scored; a critic adds the win rate against the base.
json parse_evaluation(Fields& body) {
  const json empty = json::object();
  const json* given = body.find_value("evaluation");
  Fields evaluation(given ? *given : empty, body.at("evaluation"));
  const auto critic = evaluation.find_uuid("critic");
  json out{{"held_out_pairs", true},
           {"critic", or_null(critic)},
           {"max_tokens", evaluation.find_integer("max_tokens", 1, 4096).value_or(128)},
           {"temperature", evaluation.find_number("temperature", 0, 5).value_or(0.7)},
           {"seed", evaluation.find_integer("seed", 0, 0x7fffffff).value_or(7)}};
  evaluation.done();
  return out;
}

}  // namespace

RunAsked parse_run(const json& given, const std::function<std::int64_t()>& draw) {
  Fields body(given);
  RunAsked out;
  out.project = body.text("project", {1, 100});
  out.method = body.text("method", {1, 200});
  check_method(body, out.method);
  out.base = body.text("base", {1, 200});
  out.snapshot = body.text("snapshot", {1, 100});
  if (out.snapshot != "latest") out.snapshot = body.uuid("snapshot");
  out.model = body.find_text("model", {1, 96});
  if (out.model) check_model_name(body, *out.model);
  const auto seed = body.find_integer("seed", 0, 0x7fffffff);
  out.adapter = parse_adapter(body);
  out.hyperparameters = parse_hyperparameters(body, out.adapter != "none");
  out.evaluation = parse_evaluation(body);
  if (const auto steps = body.find_integer("checkpoint_every_steps", 0, 1'000'000))
    out.checkpoints["checkpoint_every_steps"] = *steps;
  if (const auto seconds = body.find_number("checkpoint_every_s", 0, 86'400))
    out.checkpoints["checkpoint_every_s"] = *seconds;
  body.done();
  out.seed = seed ? *seed : draw();
  return out;
}

}  // namespace hone::server
