#include "rl/formats/gguf_export.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "feedback/base/error.h"
#include "rl/formats/families.h"
#include "rl/formats/gguf_names.h"
#include "rl/formats/gguf_write.h"
#include "rl/formats/json.h"
#include "rl/formats/rope_factors.h"
#include "rl/tokenizer/spec.h"
#include "rl/tokenizer/tokenizer.h"

namespace hone::rl {
namespace {

const std::string kFile = "gguf";

struct TypeName {
  std::string_view name;
  GgmlType type;
  std::uint32_t file_type;  // general.file_type, llama.cpp's numbering
};
constexpr std::array kTypeNames = {
    TypeName{"f32", GgmlType::F32, 0},    TypeName{"f16", GgmlType::F16, 1},
    TypeName{"bf16", GgmlType::BF16, 32}, TypeName{"q8_0", GgmlType::Q8_0, 7},
    TypeName{"q4_0", GgmlType::Q4_0, 2},  TypeName{"q4_k", GgmlType::Q4_K, 14},
};

GgmlType type_of(const WeightShape& weight, GgmlType type) {
  if (weight.shape.size() < 2) return GgmlType::F32;
  const auto row = weight.shape.back();
  const bool four_bits = type == GgmlType::Q4_0 || type == GgmlType::Q4_K;
  if (four_bits && (weight.name == "lm_head.weight" || weight.name == "model.embed_tokens.weight"))
    type = GgmlType::Q8_0;
  const auto fits = [&](GgmlType t) {
    return row % ggml_layout(static_cast<std::uint32_t>(t))->block_numbers == 0;
  };
  if (type == GgmlType::Q4_K && !fits(type)) type = GgmlType::Q5_0;
  return fits(type) ? type : GgmlType::F16;
}

// 134515008 as "135M", 1.2e9 as "1.2B".
std::string size_label(const ModelConfig& config) {
  const auto count = static_cast<double>(parameters(config));
  if (count >= 1e9) return fmt::format("{:.1f}B", count / 1e9);
  if (count >= 1e6) return fmt::format("{:.0f}M", count / 1e6);
  return fmt::format("{:.0f}K", count / 1e3);
}

std::uint32_t u32(std::int64_t value) { return static_cast<std::uint32_t>(value); }

class Keys {
 public:
  Keys(GgufWriter& out, std::string_view architecture) : out_(out), architecture_(architecture) {}
  void set(const std::string& key, std::int64_t value) const { put(key, u32(value)); }
  void set(const std::string& key, double value) const { put(key, static_cast<float>(value)); }
  void set(const std::string& key, const char* value) const { put(key, std::string(value)); }

 private:
  void put(const std::string& key, GgufWriter::Value value) const {
    out_.set(fmt::format("{}.{}", architecture_, key), std::move(value));
  }
  GgufWriter& out_;
  std::string architecture_;
};

void write_general(const Base& base, const ModelCard& card, GgmlType type, GgufWriter& out) {
  const auto* family = find_family(base.config.model_type);
  out.set("general.architecture", std::string(family->gguf));
  out.set("general.type", std::string("model"));
  out.set("general.name", card.name);
  out.set("general.size_label", size_label(base.config));
  if (!base.license.empty()) out.set("general.license", base.license);
  out.set("general.quantization_version", std::uint32_t{2});
  out.set("general.file_type", std::ranges::find(kTypeNames, type, &TypeName::type)->file_type);
  out.set("general.base_model.count", std::uint32_t{1});
  out.set("general.base_model.0.name", card.base_model.empty() ? base.name : card.base_model);
  std::vector<std::string> tags = {"hone"};
  tags.insert(tags.end(), card.tags.begin(), card.tags.end());
  out.set("general.tags", std::move(tags));
  out.set("hone.base.sha256", base.sha256);
  out.set("hone.base.quantised", base.quantised);
  out.set("hone.lineage", card.lineage);
}

void write_window(const ModelConfig& config, const Keys& keys) {
  if (std::ranges::all_of(config.windows, [](auto w) { return w == 0; })) return;
  const auto window = config.windows.front();
  if (find_family(config.model_type)->gguf != "llama" ||
      std::ranges::any_of(config.windows, [&](auto w) { return w != window; }))
    refuse(kFile, "sliding_window", "of some layers, or of this family, cannot be said in GGUF");
  keys.set("attention.sliding_window", window);
}

// Of Qwen3 and SmolLM3 llama.cpp reads no biases, and a file that has them is not loaded.
void check_biases(const ModelConfig& config) {
  if ((config.attention_bias || config.mlp_bias) && find_family(config.model_type)->gguf != "llama")
    refuse(kFile, config.attention_bias ? "attention_bias" : "mlp_bias",
           fmt::format("llama.cpp reads no such biases of {}", config.model_type));
}

void check_unturned(const ModelConfig& config) {
  const bool family = find_family(config.model_type)->unturned_layers;
  for (std::int64_t i = 0; i < config.num_hidden_layers; ++i)
    if (config.turned(static_cast<std::size_t>(i)) != !(family && i % 4 == 3))
      refuse(kFile, "no_rope_layers",
             "llama.cpp knows only every fourth layer of SmolLM3 without positions");
}

void write_rope(const ModelConfig& config, const Keys& keys, GgufWriter& out) {
  const auto& scaling = config.rope_scaling;
  keys.set("rope.dimension_count", config.head_dim);
  keys.set("rope.freq_base", config.rope_theta);
  if (scaling.type == "linear" || scaling.type == "yarn") {
    keys.set("rope.scaling.type", scaling.type.c_str());
    keys.set("rope.scaling.factor", scaling.factor);
  }
  if (scaling.type == "yarn") {
    if (!scaling.truncate) refuse(kFile, "rope_scaling.truncate", "false cannot be said in GGUF");
    keys.set("rope.scaling.original_context_length", scaling.original_max_position_embeddings);
    keys.set("rope.scaling.attn_factor", scaling.attention_factor / yarn_attention(scaling.factor));
    keys.set("rope.scaling.yarn_beta_fast", scaling.beta_fast);
    keys.set("rope.scaling.yarn_beta_slow", scaling.beta_slow);
  }
  if (scaling.type == "llama3") {
    out.set("hone.rope.factor", static_cast<float>(scaling.factor));
    out.set("hone.rope.low_freq_factor", static_cast<float>(scaling.low_freq_factor));
    out.set("hone.rope.high_freq_factor", static_cast<float>(scaling.high_freq_factor));
    out.set("hone.rope.original_context_length", u32(scaling.original_max_position_embeddings));
    const auto factors = llama3_factors(scaling, config.rope_theta, config.head_dim);
    out.add(std::string(kRopeFactors), {static_cast<std::int64_t>(factors.size())}, GgmlType::F32,
            [factors] {
              auto tensor = at::empty({static_cast<std::int64_t>(factors.size())}, at::kFloat);
              std::ranges::transform(factors, tensor.data_ptr<float>(),
                                     [](double f) { return static_cast<float>(f); });
              return tensor;
            });
  }
}

void write_shape(const ModelConfig& config, GgufWriter& out) {
  const Keys keys(out, find_family(config.model_type)->gguf);
  keys.set("vocab_size", config.vocab_size);
  keys.set("context_length", config.max_position_embeddings);
  keys.set("embedding_length", config.hidden_size);
  keys.set("block_count", config.num_hidden_layers);
  keys.set("feed_forward_length", config.intermediate_size);
  keys.set("attention.head_count", config.num_attention_heads);
  keys.set("attention.head_count_kv", config.num_key_value_heads);
  keys.set("attention.key_length", config.head_dim);
  keys.set("attention.value_length", config.head_dim);
  keys.set("attention.layer_norm_rms_epsilon", config.rms_norm_eps);
  write_window(config, keys);
  check_biases(config);
  check_unturned(config);
  write_rope(config, keys, out);
}

void write_tokens(const Base& base, GgufWriter& out) {
  const auto set_id = [&](const std::string& which, std::int64_t id) {
    out.set(fmt::format("tokenizer.ggml.{}_token_id", which), u32(id));
  };
  const auto& config = base.config;
  if (config.bos_token_id) set_id("bos", *config.bos_token_id);
  if (config.pad_token_id) set_id("padding", *config.pad_token_id);
  constexpr std::array kEnds = {"eos", "eot", "eom"};
  for (std::size_t i = 0; i < std::min(kEnds.size(), config.eos_token_ids.size()); ++i)
    set_id(kEnds[i], config.eos_token_ids[i]);
  if (config.eos_token_ids.size() > kEnds.size())
    out.set("hone.eos_token_ids",
            std::vector<std::int32_t>(config.eos_token_ids.begin(), config.eos_token_ids.end()));
  for (const auto& [name, which] : {std::pair{"unk_token", "unknown"}, {"pad_token", "padding"}}) {
    const auto found = base.named_tokens.find(name);
    if (found == base.named_tokens.end()) continue;
    if (const auto id = base.tokenizer->id_of(found->second)) set_id(which, *id);
  }
  write_tokenizer_gguf(base.tokenizer->spec(), config.vocab_size, out);
  if (!base.chat_source.empty()) out.set("tokenizer.chat_template", base.chat_source);
}

// Rows of each head of q and k from (2, D/2) to (D/2, 2): see GgufWeights, which does the reverse.
at::Tensor interleave(const at::Tensor& tensor, std::int64_t head_dim) {
  const auto shape = tensor.sizes().vec();
  return tensor.view({shape[0] / head_dim, 2, head_dim / 2, -1})
      .transpose(1, 2)
      .contiguous()
      .view(shape);
}

void add_weights(const ModelConfig& config, const TensorSource& weights, GgmlType type,
                 GgufWriter& out) {
  const bool interleaved = find_family(config.model_type)->gguf_interleaves;
  for (const auto& weight : expected_weights(config)) {
    const auto name = gguf_name(weight.name);
    if (!name) refuse(kFile, weight.name, "has no name in GGUF");
    const bool turn = interleaved && is_rotated(weight.name);
    const auto dim = config.head_dim;
    out.add(*name, weight.shape, type_of(weight, type), [&weights, full = weight.name, turn, dim] {
      auto tensor = weights.read_f32(full);
      return turn ? interleave(tensor, dim) : tensor;
    });
  }
}

}  // namespace

std::optional<GgmlType> find_gguf_type(std::string_view name) {
  const auto* found = std::ranges::find(kTypeNames, name, &TypeName::name);
  if (found == kTypeNames.end()) return std::nullopt;
  return found->type;
}

void export_gguf(const std::filesystem::path& path, const Base& base, const TensorSource& weights,
                 GgmlType type, const ModelCard& card,
                 const std::function<void(std::int64_t, std::int64_t)>& told) {
  if (find_family(base.config.model_type)->gguf.empty())
    refuse(kFile, "model_type", fmt::format("{} has no GGUF form", base.config.model_type));
  if (base.config.output == Output::Score)
    refuse(kFile, "architectures", "a reward model has no GGUF form that others read");
  GgufWriter out;
  write_general(base, card, type, out);
  write_shape(base.config, out);
  write_tokens(base, out);
  add_weights(base.config, weights, type, out);
  out.write(path, told);
}

}  // namespace hone::rl
