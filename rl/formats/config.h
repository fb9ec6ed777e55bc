// A model's shape, as config.json names it; read strictly, written for every reader we know.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hone::rl {

/// Rotary position scaling. Types: "default" (none); "linear" (factor); "dynamic" (factor; counts
/// only beyond max_position_embeddings, which no sequence here exceeds, so within it nothing is
/// scaled); "llama3" (factor, low and high factors, original length); "yarn" (factor, original
/// length, attention_factor, betas, truncate).
struct RopeScaling {
  std::string type = "default";
  double factor = 1;
  double low_freq_factor = 1;
  double high_freq_factor = 4;
  std::int64_t original_max_position_embeddings = 0;
  double attention_factor = 1;  ///< yarn: cosines and sines are multiplied with it
  double beta_fast = 32;        ///< yarn: rotations over the original length that stay as they are
  double beta_slow = 1;         ///< yarn: rotations that are stretched in full
  bool truncate = true;         ///< yarn: the ramp begins and ends at whole dimensions

  bool operator==(const RopeScaling&) const = default;
};

/// What stands behind the last norm: logits over the vocabulary, or one number a row (a reward or a
/// value; transformers' sequence classification with one label).
enum class Output { Tokens, Score };

/// The shape of one decoder, in Hugging Face's names. Every size is positive and they fit each
/// other (heads divide by KV heads, ids lie below vocab_size) once a reader has returned it.
struct ModelConfig {
  std::string model_type = "llama";
  Output output = Output::Tokens;
  std::int64_t vocab_size = 0;
  std::int64_t hidden_size = 0;
  std::int64_t intermediate_size = 0;
  std::int64_t num_hidden_layers = 0;
  std::int64_t num_attention_heads = 0;
  std::int64_t num_key_value_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t max_position_embeddings = 0;
  double rope_theta = 10000;
  double rms_norm_eps = 1e-6;
  RopeScaling rope_scaling;
  bool tie_word_embeddings = false;
  bool attention_bias = false;  ///< on q, k, v and o
  bool qkv_bias = false;        ///< on q, k and v alone (Qwen2's class implies it)
  bool mlp_bias = false;
  bool qk_norm = false;  ///< RMSNorm over each head of q and k, before positions
  /// How many keys back a query sees, itself included, by layer; 0: all. Empty: no layer has one.
  std::vector<std::int64_t> windows;
  /// Layers whose q and k get no positions. Empty: all get them.
  std::vector<bool> unturned;
  std::optional<std::int64_t> bos_token_id;
  std::optional<std::int64_t> pad_token_id;
  /// Tokens that end a turn: the union of config.json and generation_config.json, config first.
  std::vector<std::int64_t> eos_token_ids;

  std::int64_t window_of(std::size_t layer) const { return windows.empty() ? 0 : windows[layer]; }
  bool turned(std::size_t layer) const { return unturned.empty() || !unturned[layer]; }
};

/// Reads config.json. Anything the model code does not carry out (another model type, a
/// quantization_config, an activation that is not silu, an unknown rope type) is refused with
/// Invalid naming the key; so is a file whose two rope dialects disagree.
ModelConfig read_config_json(std::string_view json);

/// Adds the eos ids of generation_config.json to `config`; those already there stay in front.
void add_generation_config(ModelConfig& config, std::string_view json);

/// Throws Invalid unless the sizes fit each other; readers call it last.
void check_config(const ModelConfig& config);

/// config.json for any reader: both rope dialects (rope_theta + rope_scaling, rope_parameters) and
/// both names of the number type. `dtype` is "float32", "bfloat16" or "float16". Keys of
/// `base_json`, the base's own config.json (empty when it has none), that are not ours stay as they
/// are.
std::string write_config_json(const ModelConfig& config, std::string_view dtype,
                              std::string_view base_json = "");

/// generation_config.json: bos, eos (a number or a list) and pad.
std::string write_generation_config_json(const ModelConfig& config);

/// One weight that a model of this shape has.
struct WeightShape {
  std::string name;  ///< Hugging Face's name
  std::vector<std::int64_t> shape;

  std::int64_t numbers() const;
};

/// Every weight of a model of this shape, in the order files hold them; no lm_head when tied, and
/// score.weight [1,C] in its place when the output is a score.
std::vector<WeightShape> expected_weights(const ModelConfig& config);
/// How many numbers they are.
std::int64_t parameters(const ModelConfig& config);

}  // namespace hone::rl
