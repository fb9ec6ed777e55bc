#include "rl/formats/gguf_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <map>
#include <numbers>
#include <optional>

#include "feedback/base/error.h"
#include "rl/formats/families.h"
#include "rl/formats/json.h"

namespace hone::rl {
namespace {

struct Name {
  std::string_view gguf;
  std::string_view hf;
};
constexpr std::array kWhole = {
    Name{"token_embd.weight", "model.embed_tokens.weight"},
    Name{"output_norm.weight", "model.norm.weight"},
    Name{"output.weight", "lm_head.weight"},
};
constexpr std::array kInLayer = {
    Name{"attn_norm", "input_layernorm"},    Name{"attn_q", "self_attn.q_proj"},
    Name{"attn_k", "self_attn.k_proj"},      Name{"attn_v", "self_attn.v_proj"},
    Name{"attn_output", "self_attn.o_proj"}, Name{"ffn_norm", "post_attention_layernorm"},
    Name{"ffn_gate", "mlp.gate_proj"},       Name{"ffn_up", "mlp.up_proj"},
    Name{"ffn_down", "mlp.down_proj"},       Name{"attn_q_norm", "self_attn.q_norm"},
    Name{"attn_k_norm", "self_attn.k_norm"},
};
constexpr std::string_view kRopeFactors = "rope_freqs.weight";

// "blk.3.attn_q.weight" to "model.layers.3.self_attn.q_proj.weight"; nullopt for a name not known.
std::optional<std::string> hf_name(std::string_view name) {
  for (const auto& whole : kWhole)
    if (name == whole.gguf) return std::string(whole.hf);
  if (!name.starts_with("blk.")) return std::nullopt;
  const auto dot = name.find('.', 4);
  const auto last = name.rfind('.');
  if (dot == std::string_view::npos || dot == 4 || last <= dot) return std::nullopt;
  const auto layer = name.substr(4, dot - 4);
  if (!std::ranges::all_of(layer, [](char c) { return c >= '0' && c <= '9'; })) return std::nullopt;
  const auto part = name.substr(dot + 1, last - dot - 1);
  const auto kind = name.substr(last + 1);
  if (kind != "weight" && kind != "bias") return std::nullopt;
  for (const auto& inner : kInLayer)
    if (part == inner.gguf) return fmt::format("model.layers.{}.{}.{}", layer, inner.hf, kind);
  return std::nullopt;
}

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

// What llama3 scaling multiplies the i-th wavelength with (transformers,
// _compute_llama3_parameters).
double llama3_factor(const RopeScaling& s, double theta, std::int64_t dim, std::int64_t i) {
  const double frequency =
      std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(dim));
  const double wavelength = 2 * std::numbers::pi / frequency;
  const auto original = static_cast<double>(s.original_max_position_embeddings);
  if (wavelength < original / s.high_freq_factor) return 1;
  if (wavelength > original / s.low_freq_factor) return s.factor;
  const double smooth =
      (original / wavelength - s.low_freq_factor) / (s.high_freq_factor - s.low_freq_factor);
  return 1 / ((1 - smooth) / s.factor + smooth);
}

// GGUF keeps llama3 scaling as a tensor of factors and loses the four numbers that made it. They
// are looked for among those that Llama 3 models have; any other tensor is refused.
RopeScaling scaling_from_factors(const GgufFile& file, const GgufFile::Tensor& tensor,
                                 const ModelConfig& config) {
  const auto factors = file.read_f32(tensor);
  const auto* values = factors.const_data_ptr<float>();
  for (const double factor : {8.0, 32.0}) {
    const RopeScaling scaling{"llama3", factor, 1, 4, 8192};
    bool equal = factors.numel() == config.head_dim / 2;
    for (std::int64_t i = 0; equal && i < factors.numel(); ++i) {
      const double wanted = llama3_factor(scaling, config.rope_theta, config.head_dim, i);
      equal = std::abs(values[i] - wanted) <= 1e-4 * wanted;
    }
    if (equal) return scaling;
  }
  refuse(file.label(), std::string(kRopeFactors),
         "these rotary factors are not those of a Llama 3 model");
}

void read_rope(const GgufFile& file, const Keys& keys, ModelConfig& config) {
  config.rope_theta = keys.find_number("rope.freq_base").value_or(10000);
  const auto type = keys.find_text("rope.scaling.type").value_or("none");
  if (type == "linear") {
    const auto factor = keys.find_number("rope.scaling.factor");
    if (!factor || !(*factor > 0)) keys.refuse("rope.scaling.factor", "is missing or not above 0");
    config.rope_scaling = {.type = "linear", .factor = *factor};
  } else if (type != "none") {
    keys.refuse("rope.scaling.type",
                fmt::format("\"{}\" is not supported (none and linear are)", type));
  }
  if (const auto* factors = file.find(kRopeFactors)) {
    if (type != "none") keys.refuse("rope.scaling.type", "stands beside rotary factors");
    config.rope_scaling = scaling_from_factors(file, *factors, config);
  }
}

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
}

}  // namespace

ModelConfig read_gguf_config(const GgufFile& file) {
  const auto architecture = file.text("general.architecture");
  if (!architecture) refuse(file.label(), "general.architecture", "is missing");
  // A Mistral is a llama with a window there.
  const auto* family = find_gguf_family(*architecture);
  if (family == nullptr)
    refuse(file.label(), "general.architecture",
           fmt::format("\"{}\" is not supported (llama, qwen2, qwen3 are)", *architecture));
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
  const bool permuted = interleaved_ && (name.find(".self_attn.q_proj.") != std::string::npos ||
                                         name.find(".self_attn.k_proj.") != std::string::npos);
  if (!permuted || tensor.size(0) % head_dim_ != 0) return tensor;
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
