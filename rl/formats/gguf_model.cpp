#include "rl/formats/gguf_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <map>
#include <optional>

#include "feedback/base/error.h"
#include "rl/formats/families.h"
#include "rl/formats/gguf_names.h"
#include "rl/formats/json.h"
#include "rl/formats/rope_factors.h"

namespace hone::rl {
namespace {

/// The keys of the architecture: "llama.<key>".
class Keys {
 public:
  Keys(const GgufFile& file, std::string_view architecture)
      : file_(file), architecture_(architecture) {}
  std::int64_t integer(const std::string& key) const {
    const auto value = file_.integer(path(key));
    if (!value) rl::refuse(file_.label(), path(key), "is missing");
    return *value;
  }
  std::optional<std::int64_t> find_integer(const std::string& key) const {
    return file_.integer(path(key));
  }
  std::optional<double> find_number(const std::string& key) const {
    return file_.number(path(key));
  }
  std::optional<std::string_view> find_text(const std::string& key) const {
    return file_.text(path(key));
  }
  [[noreturn]] void refuse(const std::string& key, const std::string& what) const {
    rl::refuse(file_.label(), path(key), what);
  }

 private:
  std::string path(const std::string& key) const { return architecture_ + "." + key; }
  const GgufFile& file_;
  std::string architecture_;
};

std::int64_t head_dim(const Keys& keys, const ModelConfig& config) {
  if (config.num_attention_heads < 1) keys.refuse("attention.head_count", "must be above 0");
  const auto rope = keys.find_integer("rope.dimension_count");
  const auto key = keys.find_integer("attention.key_length");
  const auto value = keys.find_integer("attention.value_length");
  const auto dim = key ? *key : rope.value_or(config.hidden_size / config.num_attention_heads);
  if (rope && *rope != dim)
    keys.refuse("rope.dimension_count",
                "differs from attention.key_length: partial rotation is not supported");
  if (value && *value != dim)
    keys.refuse("attention.value_length", "differs from the keys' length, which is not supported");
  return dim;
}

// GGUF keeps llama3 scaling as a tensor of factors and loses the four numbers that made it. Files
// of ours tell them in keys; otherwise they are looked for among those that Llama 3 models have.
// Either way the tensor decides: factors that other numbers made are refused.
RopeScaling scaling_from_factors(const GgufFile& file, const GgufFile::Tensor& tensor,
                                 const ModelConfig& config) {
  std::vector<RopeScaling> candidates = {{"llama3", 8, 1, 4, 8192}, {"llama3", 32, 1, 4, 8192}};
  if (file.has("hone.rope.factor")) {
    const auto number = [&](const char* key) {
      const auto value = file.number(key);
      if (!value || !(*value > 0)) refuse(file.label(), key, "is missing or not above 0");
      return *value;
    };
    const char* length = "hone.rope.original_context_length";
    const auto original = file.integer(length).value_or(0);
    if (original < 1) refuse(file.label(), length, "is missing or below 1");
    const double low = number("hone.rope.low_freq_factor");
    const double high = number("hone.rope.high_freq_factor");
    if (high <= low)
      refuse(file.label(), "hone.rope.high_freq_factor", "must be above low_freq_factor");
    candidates = {{"llama3", number("hone.rope.factor"), low, high, original}};
  }
  const auto factors = file.read_f32(tensor);
  const auto* values = factors.const_data_ptr<float>();
  for (const auto& scaling : candidates) {
    const auto wanted = llama3_factors(scaling, config.rope_theta, config.head_dim);
    bool equal = factors.numel() == static_cast<std::int64_t>(wanted.size());
    for (std::size_t i = 0; equal && i < wanted.size(); ++i)
      equal = std::abs(values[i] - wanted[i]) <= 1e-4 * wanted[i];
    if (equal) return scaling;
  }
  refuse(file.label(), std::string(kRopeFactors),
         "these rotary factors are not those of a Llama 3 model");
}

// llama.cpp multiplies cosines and sines with 0.1 ln(factor) + 1 and with attn_factor.
RopeScaling read_yarn(const Keys& keys, double factor) {
  RopeScaling scaling{.type = "yarn", .factor = factor};
  const auto original = keys.find_integer("rope.scaling.original_context_length").value_or(0);
  if (original < 1) keys.refuse("rope.scaling.original_context_length", "is missing or below 1");
  scaling.original_max_position_embeddings = original;
  scaling.attention_factor =
      yarn_attention(factor) * keys.find_number("rope.scaling.attn_factor").value_or(1);
  scaling.beta_fast = keys.find_number("rope.scaling.yarn_beta_fast").value_or(32);
  scaling.beta_slow = keys.find_number("rope.scaling.yarn_beta_slow").value_or(1);
  for (const char* key : {"rope.scaling.yarn_log_multiplier", "rope.scaling.yarn_ext_factor",
                          "rope.scaling.yarn_attn_factor"})
    if (keys.find_number(key)) keys.refuse(key, "is not supported");
  return scaling;
}

void read_rope(const GgufFile& file, const Keys& keys, ModelConfig& config) {
  config.rope_theta = keys.find_number("rope.freq_base").value_or(10000);
  const auto type = keys.find_text("rope.scaling.type").value_or("none");
  if (type == "linear" || type == "yarn") {
    const auto factor = keys.find_number("rope.scaling.factor");
    if (!factor || !(*factor > 0)) keys.refuse("rope.scaling.factor", "is missing or not above 0");
    config.rope_scaling = type == "yarn" ? read_yarn(keys, *factor)
                                         : RopeScaling{.type = "linear", .factor = *factor};
  } else if (type != "none") {
    keys.refuse("rope.scaling.type",
                fmt::format("\"{}\" is not supported (none, linear and yarn are)", type));
  }
  if (const auto* factors = file.find(kRopeFactors)) {
    if (type != "none") keys.refuse("rope.scaling.type", "stands beside rotary factors");
    config.rope_scaling = scaling_from_factors(file, *factors, config);
  }
}

constexpr std::size_t kEndsMax = 1000;  // each is looked for among all

void read_special_ids(const GgufFile& file, ModelConfig& config) {
  const auto id = [&](const char* which) {
    return file.integer(fmt::format("tokenizer.ggml.{}_token_id", which));
  };
  config.bos_token_id = id("bos");
  config.pad_token_id = id("padding");
  for (const auto* which : {"eos", "eot", "eom"})
    if (const auto end = id(which);
        end && std::ranges::find(config.eos_token_ids, *end) == config.eos_token_ids.end())
      config.eos_token_ids.push_back(*end);
  // Files of ours name all of a model's end ids when it has more than those keys hold.
  const auto ends = file.integers("hone.eos_token_ids").value_or(std::vector<std::int64_t>{});
  if (ends.size() > kEndsMax)
    refuse(file.label(), "hone.eos_token_ids", fmt::format("more than {} end tokens", kEndsMax));
  for (const auto end : ends)
    if (std::ranges::find(config.eos_token_ids, end) == config.eos_token_ids.end())
      config.eos_token_ids.push_back(end);
}

// SmolLM3's files do not say which layers get no positions: llama.cpp leaves out every fourth.
constexpr std::int64_t kUnturnedStep = 4;

}  // namespace

ModelConfig read_gguf_config(const GgufFile& file) {
  const auto architecture = file.text("general.architecture");
  if (!architecture) refuse(file.label(), "general.architecture", "is missing");
  // A Mistral is a llama with a window there.
  const auto* family = find_gguf_family(*architecture);
  if (family == nullptr)
    refuse(file.label(), "general.architecture",
           fmt::format("\"{}\" is not supported ({} are)", *architecture, gguf_family_names()));
  if (const auto type = file.text("general.type"); type && *type != "model")
    refuse(file.label(), "general.type", fmt::format("\"{}\" is no model", *type));

  const Keys keys(file, *architecture);
  if (keys.find_integer("expert_count").value_or(0) != 0)
    keys.refuse("expert_count", "is not supported");
  const auto window = keys.find_integer("attention.sliding_window").value_or(0);
  if (window < 0 || (window != 0 && family->gguf != "llama"))
    keys.refuse("attention.sliding_window", "is not supported");
  if (window != 0) family = find_family("mistral");
  ModelConfig config;
  config.model_type = family->model_type;
  config.qkv_bias = family->qkv_bias;
  config.qk_norm = family->qk_norm;
  config.hidden_size = keys.integer("embedding_length");
  config.intermediate_size = keys.integer("feed_forward_length");
  config.num_hidden_layers = keys.integer("block_count");
  config.num_attention_heads = keys.integer("attention.head_count");
  config.num_key_value_heads =
      keys.find_integer("attention.head_count_kv").value_or(config.num_attention_heads);
  config.head_dim = head_dim(keys, config);
  config.max_position_embeddings = keys.integer("context_length");
  const auto eps = keys.find_number("attention.layer_norm_rms_epsilon");
  if (!eps) keys.refuse("attention.layer_norm_rms_epsilon", "is missing");
  config.rms_norm_eps = *eps;

  const auto* embedding = file.find("token_embd.weight");
  if (embedding == nullptr) refuse(file.label(), "token_embd.weight", "is missing");
  config.vocab_size = keys.find_integer("vocab_size").value_or(embedding->shape.front());
  config.tie_word_embeddings = file.find("output.weight") == nullptr;
  config.attention_bias = !config.qkv_bias && file.find("blk.0.attn_q.bias") != nullptr;
  config.mlp_bias = file.find("blk.0.ffn_gate.bias") != nullptr;
  read_special_ids(file, config);
  check_config(config);
  if (family->unturned_layers)
    for (std::int64_t i = 1; i <= config.num_hidden_layers; ++i)
      config.unturned.push_back(i % kUnturnedStep == 0);
  if (window != 0)
    config.windows.assign(static_cast<std::size_t>(config.num_hidden_layers), window);
  read_rope(file, keys, config);
  check_config(config);
  return config;
}

GgufWeights::GgufWeights(std::shared_ptr<const GgufFile> file, const ModelConfig& config)
    : file_(std::move(file)),
      head_dim_(config.head_dim),
      interleaved_(find_family(config.model_type)->gguf_interleaves) {
  for (const auto& tensor : file_->tensors()) {
    if (tensor.name == kRopeFactors) continue;  // part of the shape
    const auto name = hf_name(tensor.name);
    if (!name) refuse(file_->label(), tensor.name, "is no tensor of this model family");
    infos_.push_back({*name,
                      std::string(ggml_layout(static_cast<std::uint32_t>(tensor.type))->name),
                      tensor.shape});
    sources_.push_back(&tensor);
  }
}

at::Tensor GgufWeights::read_f32(const std::string& name) const {
  const auto found = std::ranges::find(infos_, name, &TensorInfo::name);
  if (found == infos_.end())
    throw Error(Code::NotFound, fmt::format("{}: no tensor \"{}\"", file_->label(), name), name);
  auto tensor = file_->read_f32(*sources_[static_cast<std::size_t>(found - infos_.begin())]);

  // llama.cpp rotates neighbouring pairs where Hugging Face rotates halves, so its converter has
  // interleaved the rows of each head of q and k: (heads, 2, D/2) to (heads, D/2, 2). Back again.
  if (!interleaved_ || !is_rotated(name) || tensor.size(0) % head_dim_ != 0) return tensor;
  const auto shape = tensor.sizes().vec();
  return tensor.view({shape[0] / head_dim_, head_dim_ / 2, 2, -1})
      .transpose(1, 2)
      .contiguous()
      .view(shape);
}

std::string gguf_main_type(const GgufFile& file) {
  std::map<GgmlType, std::uint64_t> bytes;
  for (const auto& tensor : file.tensors()) bytes[tensor.type] += tensor.bytes;
  if (bytes.empty()) return "empty";
  const auto most =
      std::ranges::max_element(bytes, {}, [](const auto& entry) { return entry.second; });
  return std::string(ggml_layout(static_cast<std::uint32_t>(most->first))->name);
}

}  // namespace hone::rl
