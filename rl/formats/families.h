// What a model_type means: one line a family. All are pre-norm decoders with RMSNorm, rotary
// positions and SwiGLU; what sets them apart are the values that an absent key of config.json
// takes, biases and norms that the class implies, and how they are called elsewhere.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hone::rl {

/// Which layers see only a window of keys (transformers' classes differ here).
enum class WindowRule {
  None,       ///< the class knows no window
  AllLayers,  ///< Mistral: sliding_window counts for every layer, unless null
  Switched,   ///< Qwen: only with use_sliding_window, from layer max_window_layers on
  Unturned,   ///< SmolLM3: only with use_sliding_window, for the layers without rotary positions
};

struct Family {
  std::string_view model_type;
  std::string_view architecture;    ///< Hugging Face's class
  std::string_view gguf;            ///< general.architecture; empty: its GGUFs are not read
  bool gguf_interleaves = false;    ///< llama.cpp's files interleave the rows of q and k
  std::int64_t kv_heads = 0;        ///< when the key is absent; 0: as many as attention heads
  std::int64_t head_dim = 0;        ///< when the key is absent; 0: hidden_size / heads
  double rope_theta = 10000;        ///< when the key is absent
  bool tied = false;                ///< when the key is absent
  bool attention_bias_key = false;  ///< attention_bias is read
  bool mlp_bias_key = false;        ///< mlp_bias is read
  bool qkv_bias = false;            ///< q, k and v have biases, o has none; no key says so
  bool qk_norm = false;             ///< RMSNorm over each head of q and k, before positions
  bool unturned_layers = false;     ///< some layers turn no positions in (no_rope_layers)
  WindowRule windows = WindowRule::None;
  std::int64_t sliding_window = 0;  ///< when the key is absent
};

/// Null for a model_type that is not built.
const Family* find_family(std::string_view model_type);

/// The first family whose GGUFs have this general.architecture; null when there is none.
const Family* find_gguf_family(std::string_view architecture);

/// "llama, mistral, qwen2 ...", for messages.
std::string family_names();
/// The same of GGUFs' architectures.
std::string gguf_family_names();

}  // namespace hone::rl
