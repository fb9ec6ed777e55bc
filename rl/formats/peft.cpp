#include "rl/formats/peft.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "feedback/base/error.h"
#include "rl/formats/files.h"
#include "rl/formats/json.h"

namespace hone::rl {
namespace {

const std::string kFile = "adapter_config.json";
constexpr std::int64_t kRankMax = 4096;
constexpr std::uint64_t kJsonMax = 4'000'000;
const std::string kScore = "base_model.model.score.weight";
constexpr std::array<std::string_view, 7> kTargets = {"q_proj",    "k_proj",  "v_proj",   "o_proj",
                                                      "gate_proj", "up_proj", "down_proj"};

// Keys that change nothing in what an adapter computes.
constexpr std::array<std::string_view, 11> kHarmless = {
    "auto_mapping",      "base_model_name_or_path",
    "inference_mode",    "init_lora_weights",
    "lora_dropout",      "loftq_config",
    "megatron_core",     "peft_version",
    "revision",          "task_type",
    "qalora_group_size",
};

// null, false, 0, "", [] and {}: a switch that is off.
bool is_off(const nlohmann::json& value) {
  if (value.is_null()) return true;
  if (value.is_boolean()) return !value.get<bool>();
  if (value.is_number()) return value.get<double>() == 0;
  return value.empty() || (value.is_string() && value.get_ref<const std::string&>().empty());
}

std::vector<std::string> read_targets(const JsonObject& object) {
  const auto& value = object.at("target_modules");
  if (!value.is_array() || value.empty())
    object.refuse("target_modules", "a list of layer names is wanted");
  std::vector<std::string> targets;
  for (const auto& item : value) {
    if (!item.is_string()) object.refuse("target_modules", "a list of layer names is wanted");
    targets.push_back(item.get<std::string>());
  }
  return targets;
}

/// PEFT names both where a task is SEQ_CLS: a model has one of them.
void check_saved(const JsonObject& object) {
  const auto& value = object.at("modules_to_save");
  bool score = false;
  for (const auto& item : value.is_array() ? value : nlohmann::json::array()) {
    if (item != "score" && item != "classifier")
      object.refuse("modules_to_save", item.dump() + " is not supported (score is)");
    score |= item == "score";
  }
  if (!score) object.refuse("modules_to_save", "a SEQ_CLS adapter must hold the module \"score\"");
}

struct Linear {
  std::string module;  // "model.layers.0.self_attn.q_proj"
  std::int64_t out;
  std::int64_t in;
};

std::vector<Linear> targeted(const ModelConfig& config, const LoraFile& lora,
                             const std::string& label) {
  for (const auto& target : lora.targets)
    if (std::ranges::find(kTargets, std::string_view(target)) == kTargets.end())
      refuse(label, "target_modules",
             fmt::format("\"{}\" is no linear layer of this model ({} are)", target,
                         fmt::join(kTargets, ", ")));
  std::vector<Linear> linears;
  for (const auto& [name, shape] : expected_weights(config)) {
    if (!name.ends_with(".weight")) continue;
    const auto module = name.substr(0, name.size() - 7);
    const auto last = module.substr(module.rfind('.') + 1);
    if (std::ranges::find(lora.targets, last) != lora.targets.end())
      linears.push_back({module, shape[0], shape[1]});
  }
  return linears;
}

}  // namespace

NamedTensors check_lora(const ModelConfig& config, const LoraFile& lora, const std::string& label) {
  if (lora.rank < 1 || lora.rank > kRankMax)
    refuse(label, "r", fmt::format("{} is not between 1 and {}", lora.rank, kRankMax));
  if (!std::isfinite(lora.alpha) || lora.alpha == 0)
    refuse(label, "lora_alpha", "must be a number other than 0");
  std::unordered_map<std::string, at::Tensor> given;
  for (const auto& [name, tensor] : lora.tensors)
    if (!given.emplace(name, tensor).second) refuse(label, name, "occurs twice");
  NamedTensors ordered;
  const auto take = [&](const std::string& name, std::int64_t rows, std::int64_t columns) {
    const auto found = given.find(name);
    if (found == given.end()) refuse(label, name, "is missing");
    if (found->second.dim() != 2 || found->second.size(0) != rows ||
        found->second.size(1) != columns)
      refuse(label, name,
             fmt::format("has the shape [{}], wanted is [{}, {}]",
                         fmt::join(found->second.sizes().vec(), ", "), rows, columns));
    ordered.emplace_back(name, found->second);
    given.erase(found);
  };
  for (const auto& [module, out, in] : targeted(config, lora, label)) {
    take(fmt::format("base_model.model.{}.lora_A.weight", module), lora.rank, in);
    take(fmt::format("base_model.model.{}.lora_B.weight", module), out, lora.rank);
  }
  if (!given.empty())
    refuse(label, given.begin()->first, "is no tensor of an adapter of this model");
  if (lora.output == Output::Score) {
    if (!lora.score.defined()) refuse(label, kScore, "is missing");
    if (lora.score.sizes() != at::IntArrayRef({1, config.hidden_size}))
      refuse(label, kScore,
             fmt::format("has the shape [{}], wanted is [1, {}]: one score",
                         fmt::join(lora.score.sizes().vec(), ", "), config.hidden_size));
  }
  return ordered;
}

NamedTensors tensors_of(const ModelConfig& config, const LoraFile& lora, const std::string& label) {
  auto tensors = check_lora(config, lora, label);
  if (lora.output == Output::Score) tensors.emplace_back(kScore, lora.score);
  return tensors;
}

std::string write_adapter_config(const LoraFile& lora, const std::string& base_model) {
  // Some loaders want a whole number to be written as one.
  const bool whole = lora.alpha == std::floor(lora.alpha) && std::abs(lora.alpha) < 1e9;
  const bool score = lora.output == Output::Score;
  const nlohmann::ordered_json json = {
      {"peft_type", "LORA"},
      {"task_type", score ? "SEQ_CLS" : "CAUSAL_LM"},
      {"base_model_name_or_path", base_model},
      {"revision", nullptr},
      {"r", lora.rank},
      {"lora_alpha", whole ? nlohmann::ordered_json(static_cast<std::int64_t>(lora.alpha))
                           : nlohmann::ordered_json(lora.alpha)},
      {"lora_dropout", 0.0},
      {"target_modules", lora.targets},
      {"bias", "none"},
      {"fan_in_fan_out", false},
      {"inference_mode", true},
      {"init_lora_weights", true},
      {"modules_to_save", score ? nlohmann::ordered_json{"score"} : nlohmann::ordered_json()},
      {"layers_to_transform", nullptr},
      {"layers_pattern", nullptr},
      {"rank_pattern", nlohmann::ordered_json::object()},
      {"alpha_pattern", nlohmann::ordered_json::object()},
      {"use_rslora", lora.rank_stabilised},
      {"use_dora", false},
  };
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

LoraFile read_adapter_config(std::string_view text) {
  const auto json = parse_json(text, kFile);
  const JsonObject object(json, kFile);
  if (const auto type = object.text("peft_type"); type != "LORA")
    object.refuse("peft_type", fmt::format("\"{}\" is not supported (LORA is)", type));
  const auto task = object.find_text("task_type").value_or("CAUSAL_LM");
  if (task != "CAUSAL_LM" && task != "SEQ_CLS")
    object.refuse("task_type",
                  fmt::format("\"{}\" is not supported (CAUSAL_LM and SEQ_CLS are)", task));
  if (const auto bias = object.find_text("bias"); bias && *bias != "none")
    object.refuse("bias", fmt::format("\"{}\" is not supported (none is)", *bias));
  // Other ways to begin (pissa, olora, loftq ...) change the base's own weights when the adapter is
  // loaded.
  if (object.has("init_lora_weights"))
    if (const auto& begin = object.at("init_lora_weights");
        !begin.is_boolean() && begin != "gaussian")
      object.refuse("init_lora_weights", "is not supported");
  LoraFile lora;
  if (task == "SEQ_CLS") {
    check_saved(object);
    lora.output = Output::Score;
  }
  lora.rank = object.integer("r");
  const auto alpha = object.find_number("lora_alpha");
  if (!alpha) object.refuse("lora_alpha", "is missing");
  lora.alpha = *alpha;
  lora.rank_stabilised = object.flag("use_rslora", false);
  lora.targets = read_targets(object);
  lora.base_model = object.find_text("base_model_name_or_path").value_or("");

  // Whatever else is switched on (use_dora, modules_to_save, rank_pattern, a key of a later
  // version) would be another computation.
  for (const auto& [key, value] : json.items()) {
    const bool read = key == "peft_type" || key == "bias" || key == "r" || key == "lora_alpha" ||
                      key == "use_rslora" || key == "target_modules" ||
                      (key == "modules_to_save" && lora.output == Output::Score);
    if (!read && std::ranges::find(kHarmless, std::string_view(key)) == kHarmless.end() &&
        !is_off(value))
      object.refuse(key, "is not supported");
  }
  return lora;
}

LoraFile read_peft(const std::filesystem::path& dir, const ModelConfig& config) {
  auto lora = read_adapter_config(read_file(dir / kFile, kJsonMax));
  const SafetensorsFile file(dir / "adapter_model.safetensors");
  for (const auto& info : file.tensors()) {
    if (lora.output == Output::Score && info.name == kScore)
      lora.score = file.read_f32(info.name);
    else
      lora.tensors.emplace_back(info.name, file.read_f32(info.name));
  }
  lora.tensors = check_lora(config, lora, "adapter_model.safetensors");
  return lora;
}

}  // namespace hone::rl
