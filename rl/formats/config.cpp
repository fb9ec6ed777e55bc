#include "rl/formats/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "feedback/base/error.h"
#include "rl/formats/families.h"
#include "rl/formats/json.h"

namespace hone::rl {
namespace {

using nlohmann::ordered_json;

const std::string kFile = "config.json";

struct Rope {
  RopeScaling scaling;
  std::optional<double> theta;
};

double positive(const JsonObject& object, const std::string& key) {
  const auto value = object.find_number(key);
  if (!value) object.refuse(key, "is missing");
  if (*value <= 0) object.refuse(key, "must be above 0");
  return *value;
}

// "original_max_position_embeddings" as an integer above 0.
std::int64_t original_length(const JsonObject& object) {
  const std::string key = "original_max_position_embeddings";
  const auto length = object.integer(key);
  if (length < 1) object.refuse(key, "must be above 0");
  return length;
}

// YaRN (Peng et al. 2023, arXiv:2309.00071), with transformers' reading of its keys. Without an
// attention_factor of its own it is 0.1 ln(factor) + 1, or the quotient of two such.
void read_yarn(const JsonObject& object, RopeScaling& scaling) {
  scaling.original_max_position_embeddings = original_length(object);
  scaling.beta_fast = object.has("beta_fast") ? positive(object, "beta_fast") : 32;
  scaling.beta_slow = object.has("beta_slow") ? positive(object, "beta_slow") : 1;
  scaling.truncate = object.flag("truncate", true);
  const auto scale = [&](double mscale) {
    return scaling.factor <= 1 ? 1.0 : 0.1 * mscale * std::log(scaling.factor) + 1.0;
  };
  const double mscale = object.find_number("mscale").value_or(0),
               all = object.find_number("mscale_all_dim").value_or(0);
  if (object.has("attention_factor"))
    scaling.attention_factor = positive(object, "attention_factor");
  else
    scaling.attention_factor = mscale != 0 && all != 0 ? scale(mscale) / scale(all) : scale(1);
  if (!std::isfinite(scaling.attention_factor) || scaling.attention_factor <= 0)
    object.refuse("mscale", "makes no attention factor above 0");
}

// `rope_scaling` and `rope_parameters` hold the same keys; "type" is the older name of "rope_type".
Rope read_rope(const JsonObject& object) {
  object.only({"rope_type", "type", "rope_theta", "factor", "low_freq_factor", "high_freq_factor",
               "original_max_position_embeddings", "attention_factor", "beta_fast", "beta_slow",
               "mscale", "mscale_all_dim", "truncate"});
  Rope rope;
  const auto type = object.find_text("rope_type");
  const auto older = object.find_text("type");
  if (type && older && *type != *older) object.refuse("type", "differs from rope_type");
  auto& scaling = rope.scaling;
  scaling.type = type ? *type : older.value_or("default");
  if (object.has("rope_theta")) rope.theta = positive(object, "rope_theta");

  const auto& kind = scaling.type;
  if (kind == "default") return rope;
  if (kind != "linear" && kind != "dynamic" && kind != "llama3" && kind != "yarn")
    object.refuse(type ? "rope_type" : "type",
                  fmt::format("rope type \"{}\" is not supported (default, linear, dynamic, "
                              "llama3, yarn are)",
                              kind));
  scaling.factor = positive(object, "factor");
  if (kind == "yarn") read_yarn(object, scaling);
  if (kind == "llama3") {
    scaling.low_freq_factor = positive(object, "low_freq_factor");
    scaling.high_freq_factor = positive(object, "high_freq_factor");
    if (scaling.high_freq_factor <= scaling.low_freq_factor)
      object.refuse("high_freq_factor", "must be above low_freq_factor");
    scaling.original_max_position_embeddings = original_length(object);
  }
  return rope;
}

// The older dialect (rope_theta, rope_scaling) and the newer (rope_parameters). A file that holds
// both must mean one thing: readers differ in which they believe, and a wrong theta fails without a
// word.
void read_rope_dialects(const JsonObject& object, const Family& family, ModelConfig& config) {
  std::optional<double> theta;
  if (object.has("rope_theta")) theta = positive(object, "rope_theta");
  std::optional<RopeScaling> scaling;
  const auto take = [&](const std::string& key) {
    const auto inner = object.find_object(key);
    if (!inner) return;
    const auto rope = read_rope(*inner);
    if (rope.theta && theta && *rope.theta != *theta)
      inner->refuse("rope_theta", fmt::format("{} differs from the {} given elsewhere in the file",
                                              *rope.theta, *theta));
    if (scaling && *scaling != rope.scaling) object.refuse(key, "differs from rope_scaling");
    if (rope.theta) theta = rope.theta;
    scaling = rope.scaling;
  };
  const bool older_says_none =
      object.value().contains("rope_scaling") && !object.has("rope_scaling");
  take("rope_scaling");
  take("rope_parameters");
  if (older_says_none && scaling && scaling->type != "default")
    object.refuse("rope_parameters", "differs from rope_scaling, which is null");
  config.rope_theta = theta.value_or(family.rope_theta);
  config.rope_scaling = scaling.value_or(RopeScaling{});
}

void refuse_unsupported(const JsonObject& object) {
  if (object.has("quantization_config"))
    object.refuse(
        "quantization_config",
        "quantised weights are not supported here; give the unquantised model, or a GGUF");
  const auto activation = object.find_text("hidden_act").value_or("silu");
  if (activation != "silu")
    object.refuse("hidden_act",
                  fmt::format("activation \"{}\" is not supported (silu is)", activation));
  if (const auto part = object.find_number("partial_rotary_factor"); part && *part != 1)
    object.refuse("partial_rotary_factor", "is not supported");
}

// `layer_types`, where the file has it, says what each layer is; else the class's own rule does.
void read_windows(const JsonObject& object, const Family& family, ModelConfig& config) {
  const auto layers = static_cast<std::size_t>(config.num_hidden_layers);
  const bool null = object.value().contains("sliding_window") && !object.has("sliding_window");
  const auto window =
      null ? 0 : object.find_integer("sliding_window").value_or(family.sliding_window);
  const bool on = family.windows == WindowRule::AllLayers ||
                  (family.windows != WindowRule::None && object.flag("use_sliding_window", false));
  const bool limits = on && window != 0;
  if (limits && window < 1) object.refuse("sliding_window", "must be above 0");
  std::vector<std::int64_t> windows(layers, 0);
  const auto from = object.find_integer("max_window_layers").value_or(28);
  for (std::size_t i = 0; limits && i < layers; ++i)
    if (family.windows == WindowRule::AllLayers ||
        (family.windows == WindowRule::Switched && static_cast<std::int64_t>(i) >= from) ||
        (family.windows == WindowRule::Unturned && !config.turned(i)))
      windows[i] = window;
  if (family.windows != WindowRule::AllLayers && object.has("layer_types")) {
    const auto& types = object.at("layer_types");
    if (!types.is_array() || types.size() != layers)
      object.refuse("layer_types", "a list with one name for each layer is wanted");
    for (std::size_t i = 0; i < layers; ++i) {
      if (types[i] != "full_attention" && types[i] != "sliding_attention")
        object.refuse("layer_types", "full_attention and sliding_attention are supported");
      windows[i] = types[i] == "full_attention" ? 0 : window;
      if (types[i] == "sliding_attention" && !limits)
        object.refuse("layer_types", "names a sliding layer where no window is switched on");
    }
  }
  if (std::ranges::any_of(windows, [](auto w) { return w != 0; })) config.windows = windows;
}

// SmolLM3: `no_rope_layers` has 1 for a layer that turns positions in, 0 for one that does not.
void read_unturned(const JsonObject& object, ModelConfig& config) {
  const auto layers = static_cast<std::size_t>(config.num_hidden_layers);
  std::vector<bool> unturned(layers);
  if (object.has("no_rope_layers")) {
    const auto given = object.integers("no_rope_layers");
    if (given.size() < layers)
      object.refuse("no_rope_layers", "has fewer numbers than the model has layers");
    for (std::size_t i = 0; i < layers; ++i) unturned[i] = given[i] == 0;
  } else {
    const auto interval = object.find_integer("no_rope_layer_interval").value_or(4);
    if (interval < 1) object.refuse("no_rope_layer_interval", "must be above 0");
    for (std::size_t i = 0; i < layers; ++i)
      unturned[i] = (static_cast<std::int64_t>(i) + 1) % interval == 0;
  }
  if (std::ranges::find(unturned, true) != unturned.end()) config.unturned = unturned;
}

// Each is looked for among all: a list as long as the file would take hours.
constexpr std::size_t kEndsMax = 1000;

void append_eos(ModelConfig& config, const std::vector<std::int64_t>& ids) {
  if (ids.size() > kEndsMax)
    refuse(kFile, "eos_token_id", fmt::format("more than {} end tokens", kEndsMax));
  for (const auto id : ids)
    if (std::ranges::find(config.eos_token_ids, id) == config.eos_token_ids.end())
      config.eos_token_ids.push_back(id);
}

ordered_json eos_value(const ModelConfig& config) {
  if (config.eos_token_ids.empty()) return nullptr;
  if (config.eos_token_ids.size() == 1) return config.eos_token_ids[0];
  return config.eos_token_ids;
}

ordered_json optional_id(const std::optional<std::int64_t>& id) {
  return id ? ordered_json(*id) : ordered_json(nullptr);
}

ordered_json rope_values(const RopeScaling& scaling) {
  ordered_json values = {{"rope_type", scaling.type}};
  if (scaling.type != "default") values["factor"] = scaling.factor;
  if (scaling.type == "yarn") {
    values["original_max_position_embeddings"] = scaling.original_max_position_embeddings;
    values["attention_factor"] = scaling.attention_factor;
    values["beta_fast"] = scaling.beta_fast;
    values["beta_slow"] = scaling.beta_slow;
    values["truncate"] = scaling.truncate;
  }
  if (scaling.type == "llama3") {
    values["low_freq_factor"] = scaling.low_freq_factor;
    values["high_freq_factor"] = scaling.high_freq_factor;
    values["original_max_position_embeddings"] = scaling.original_max_position_embeddings;
  }
  return values;
}

// Windows and unturned layers, so that a reader with other defaults still makes the same model.
void write_layers(const ModelConfig& config, const Family& family, ordered_json& json) {
  const auto layers = static_cast<std::size_t>(config.num_hidden_layers);
  if (family.unturned_layers) {
    json["no_rope_layers"] = ordered_json::array();
    for (std::size_t i = 0; i < layers; ++i)
      json["no_rope_layers"].push_back(config.turned(i) ? 1 : 0);
  }
  if (family.windows == WindowRule::None) return;
  const auto widest = config.windows.empty() ? 0 : std::ranges::max(config.windows);
  json["sliding_window"] = widest == 0 ? ordered_json(nullptr) : ordered_json(widest);
  if (family.windows == WindowRule::AllLayers) return;
  json["use_sliding_window"] = widest != 0;
  json["layer_types"] = ordered_json::array();
  for (std::size_t i = 0; i < layers; ++i)
    json["layer_types"].push_back(config.window_of(i) == 0 ? "full_attention"
                                                           : "sliding_attention");
}

std::string score_architecture(const Family& family) {
  std::string name(family.architecture);
  return name.replace(name.find("ForCausalLM"), std::string::npos, "ForSequenceClassification");
}

// One label, or it is no reward model: an absent num_labels means two to transformers, and id2label
// overrules it.
Output read_output(const JsonObject& object, const Family& family) {
  if (!object.has("architectures")) return Output::Tokens;
  const auto& names = object.at("architectures");
  const bool one = names.is_array() && names.size() == 1 && names[0].is_string();
  const auto name = one ? names[0].get<std::string>() : "";
  if (name == family.architecture) return Output::Tokens;
  if (name != score_architecture(family))
    object.refuse("architectures",
                  fmt::format("must be [\"{}\"] or [\"{}\"] for model_type {}", family.architecture,
                              score_architecture(family), family.model_type));
  const auto labels = object.has("id2label")
                          ? static_cast<std::int64_t>(object.object("id2label").value().size())
                          : object.find_integer("num_labels").value_or(2);
  if (labels != 1)
    object.refuse("num_labels", fmt::format("{} labels; a reward model has 1", labels));
  return Output::Score;
}

}  // namespace

ModelConfig read_config_json(std::string_view text) {
  const auto json = parse_json(text, kFile);
  const JsonObject object(json, kFile);

  ModelConfig config;
  config.model_type = object.text("model_type");
  const auto* family = find_family(config.model_type);
  if (family == nullptr)
    object.refuse("model_type", fmt::format("\"{}\" is not supported ({} are)", config.model_type,
                                            family_names()));
  config.output = read_output(object, *family);
  refuse_unsupported(object);

  config.vocab_size = object.integer("vocab_size");
  config.hidden_size = object.integer("hidden_size");
  config.intermediate_size = object.integer("intermediate_size");
  config.num_hidden_layers = object.integer("num_hidden_layers");
  config.num_attention_heads = object.integer("num_attention_heads");
  config.num_key_value_heads =
      object.find_integer("num_key_value_heads")
          .value_or(family->kv_heads != 0 ? family->kv_heads : config.num_attention_heads);
  if (config.num_attention_heads < 1) object.refuse("num_attention_heads", "must be above 0");
  if (!object.has("head_dim") && family->head_dim == 0 &&
      config.hidden_size % config.num_attention_heads != 0)
    object.refuse("hidden_size",
                  "does not divide by num_attention_heads, and there is no head_dim");
  config.head_dim =
      object.find_integer("head_dim")
          .value_or(family->head_dim != 0 ? family->head_dim
                                          : config.hidden_size / config.num_attention_heads);
  config.max_position_embeddings = object.find_integer("max_position_embeddings").value_or(2048);
  config.rms_norm_eps = object.find_number("rms_norm_eps").value_or(1e-6);
  config.tie_word_embeddings = object.flag("tie_word_embeddings", family->tied);
  config.attention_bias = family->attention_bias_key && object.flag("attention_bias", false);
  config.mlp_bias = family->mlp_bias_key && object.flag("mlp_bias", false);
  config.qkv_bias = family->qkv_bias;
  config.qk_norm = family->qk_norm;
  config.bos_token_id = object.find_integer("bos_token_id");
  config.pad_token_id = object.find_integer("pad_token_id");
  // Older writers mark "no padding token" with -1.
  if (config.pad_token_id && *config.pad_token_id < 0) config.pad_token_id.reset();
  append_eos(config, object.integers("eos_token_id"));
  read_rope_dialects(object, *family, config);
  check_config(config);
  if (family->unturned_layers) read_unturned(object, config);
  read_windows(object, *family, config);
  return config;
}

void add_generation_config(ModelConfig& config, std::string_view text) {
  const std::string file = "generation_config.json";
  const auto json = parse_json(text, file);
  const JsonObject object(json, file);
  append_eos(config, object.integers("eos_token_id"));
  if (!config.bos_token_id) config.bos_token_id = object.find_integer("bos_token_id");
  if (!config.pad_token_id) config.pad_token_id = object.find_integer("pad_token_id");
  check_config(config);
}

void check_config(const ModelConfig& config) {
  const auto within = [](const std::string& key, std::int64_t value, std::int64_t most) {
    if (value < 1 || value > most)
      refuse(kFile, key, fmt::format("{} is not between 1 and {}", value, most));
  };
  within("vocab_size", config.vocab_size, 1 << 24);
  within("hidden_size", config.hidden_size, 1 << 20);
  within("intermediate_size", config.intermediate_size, 1 << 22);
  within("num_hidden_layers", config.num_hidden_layers, 4096);
  within("num_attention_heads", config.num_attention_heads, 1 << 14);
  within("num_key_value_heads", config.num_key_value_heads, 1 << 14);
  within("head_dim", config.head_dim, 1 << 14);
  within("max_position_embeddings", config.max_position_embeddings, std::int64_t{1} << 40);
  if (config.head_dim % 2 != 0)
    refuse(kFile, "head_dim",
           fmt::format("{} is odd; rotary positions need pairs", config.head_dim));
  if (config.num_attention_heads % config.num_key_value_heads != 0)
    refuse(kFile, "num_key_value_heads",
           fmt::format("{} does not divide the {} attention heads", config.num_key_value_heads,
                       config.num_attention_heads));
  if (!(config.rms_norm_eps > 0) || config.rms_norm_eps > 1)
    refuse(kFile, "rms_norm_eps", "must be above 0 and at most 1");
  if (!(config.rope_theta > 0)) refuse(kFile, "rope_theta", "must be above 0");

  const auto id = [&](const std::string& key, std::int64_t value) {
    if (value < 0 || value >= config.vocab_size)
      refuse(kFile, key,
             fmt::format("{} is no token of a vocabulary of {}", value, config.vocab_size));
  };
  if (config.bos_token_id) id("bos_token_id", *config.bos_token_id);
  if (config.pad_token_id) id("pad_token_id", *config.pad_token_id);
  for (const auto eos : config.eos_token_ids) id("eos_token_id", eos);
}

std::string write_config_json(const ModelConfig& config, std::string_view dtype,
                              std::string_view base_json) {
  const auto* family = find_family(config.model_type);
  if (family == nullptr)
    refuse(kFile, "model_type", fmt::format("\"{}\" cannot be written", config.model_type));

  // The base's own file goes first: what we do not know of stays as it was.
  auto json = base_json.empty() ? ordered_json::object() : ordered_json::parse(base_json);
  const bool score = config.output == Output::Score;
  json["architectures"] = {score ? score_architecture(*family) : std::string(family->architecture)};
  if (score) {
    json["num_labels"] = 1;
    json["id2label"] = {{"0", "LABEL_0"}};
    json["label2id"] = {{"LABEL_0", 0}};
    json["problem_type"] = "regression";
  }
  json["model_type"] = config.model_type;
  json["vocab_size"] = config.vocab_size;
  json["hidden_size"] = config.hidden_size;
  json["intermediate_size"] = config.intermediate_size;
  json["num_hidden_layers"] = config.num_hidden_layers;
  json["num_attention_heads"] = config.num_attention_heads;
  json["num_key_value_heads"] = config.num_key_value_heads;
  json["head_dim"] = config.head_dim;
  json["max_position_embeddings"] = config.max_position_embeddings;
  json["hidden_act"] = "silu";
  json["rms_norm_eps"] = config.rms_norm_eps;
  if (family->attention_bias_key) json["attention_bias"] = config.attention_bias;
  if (family->mlp_bias_key) json["mlp_bias"] = config.mlp_bias;
  write_layers(config, *family, json);
  json["tie_word_embeddings"] = config.tie_word_embeddings;

  json["rope_theta"] = config.rope_theta;
  const auto scaling = rope_values(config.rope_scaling);
  json["rope_scaling"] = config.rope_scaling.type == "default" ? ordered_json(nullptr) : scaling;
  json["rope_parameters"] = scaling;
  json["rope_parameters"]["rope_theta"] = config.rope_theta;

  json["bos_token_id"] = optional_id(config.bos_token_id);
  json["eos_token_id"] = eos_value(config);
  json["pad_token_id"] = optional_id(config.pad_token_id);
  json["torch_dtype"] = dtype;
  json["dtype"] = dtype;
  json["use_cache"] = true;
  return json.dump(2) + "\n";
}

std::string write_generation_config_json(const ModelConfig& config) {
  ordered_json json = ordered_json::object();
  if (config.bos_token_id) json["bos_token_id"] = *config.bos_token_id;
  if (!config.eos_token_ids.empty()) json["eos_token_id"] = eos_value(config);
  if (config.pad_token_id) json["pad_token_id"] = *config.pad_token_id;
  return json.dump(2) + "\n";
}

std::vector<WeightShape> expected_weights(const ModelConfig& c) {
  const auto q = c.num_attention_heads * c.head_dim;
  const auto kv = c.num_key_value_heads * c.head_dim;
  std::vector<WeightShape> weights;
  weights.push_back({"model.embed_tokens.weight", {c.vocab_size, c.hidden_size}});
  for (std::int64_t layer = 0; layer < c.num_hidden_layers; ++layer) {
    const auto linear = [&](std::string_view name, std::int64_t out, std::int64_t in, bool bias) {
      const auto full = fmt::format("model.layers.{}.{}", layer, name);
      weights.push_back({full + ".weight", {out, in}});
      if (bias) weights.push_back({full + ".bias", {out}});
    };
    const auto norm = [&](std::string_view name) {
      weights.push_back({fmt::format("model.layers.{}.{}.weight", layer, name), {c.hidden_size}});
    };
    const bool qkv_bias = c.attention_bias || c.qkv_bias;
    norm("input_layernorm");
    linear("self_attn.q_proj", q, c.hidden_size, qkv_bias);
    linear("self_attn.k_proj", kv, c.hidden_size, qkv_bias);
    linear("self_attn.v_proj", kv, c.hidden_size, qkv_bias);
    linear("self_attn.o_proj", c.hidden_size, q, c.attention_bias);
    if (c.qk_norm)
      for (const auto* which : {"q", "k"})
        weights.push_back(
            {fmt::format("model.layers.{}.self_attn.{}_norm.weight", layer, which), {c.head_dim}});
    norm("post_attention_layernorm");
    linear("mlp.gate_proj", c.intermediate_size, c.hidden_size, c.mlp_bias);
    linear("mlp.up_proj", c.intermediate_size, c.hidden_size, c.mlp_bias);
    linear("mlp.down_proj", c.hidden_size, c.intermediate_size, c.mlp_bias);
  }
  weights.push_back({"model.norm.weight", {c.hidden_size}});
  if (c.output == Output::Score)
    weights.push_back({"score.weight", {1, c.hidden_size}});
  else if (!c.tie_word_embeddings)
    weights.push_back({"lm_head.weight", {c.vocab_size, c.hidden_size}});
  return weights;
}

std::int64_t WeightShape::numbers() const {
  std::int64_t count = 1;
  for (const auto side : shape) count *= side;
  return count;
}

std::int64_t parameters(const ModelConfig& config) {
  std::int64_t count = 0;
  for (const auto& weight : expected_weights(config)) count += weight.numbers();
  return count;
}

}  // namespace hone::rl
