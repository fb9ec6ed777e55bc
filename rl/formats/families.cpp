#include "rl/formats/families.h"

#include <algorithm>
#include <array>

namespace hone::rl {
namespace {

constexpr std::array kFamilies = {
    Family{.model_type = "llama",
           .architecture = "LlamaForCausalLM",
           .gguf = "llama",
           .gguf_interleaves = true,
           .attention_bias_key = true,
           .mlp_bias_key = true},
    Family{.model_type = "mistral",
           .architecture = "MistralForCausalLM",
           .gguf = "llama",
           .gguf_interleaves = true,
           .kv_heads = 8,
           .windows = WindowRule::AllLayers,
           .sliding_window = 4096},
    Family{.model_type = "qwen2",
           .architecture = "Qwen2ForCausalLM",
           .gguf = "qwen2",
           .kv_heads = 32,
           .qkv_bias = true,
           .windows = WindowRule::Switched,
           .sliding_window = 4096},
    Family{.model_type = "qwen3",
           .architecture = "Qwen3ForCausalLM",
           .gguf = "qwen3",
           .kv_heads = 32,
           .head_dim = 128,
           .attention_bias_key = true,
           .qk_norm = true,
           .windows = WindowRule::Switched,
           .sliding_window = 4096},
    Family{.model_type = "smollm3",
           .architecture = "SmolLM3ForCausalLM",
           .gguf = "smollm3",
           .gguf_interleaves = true,
           .kv_heads = 4,
           .rope_theta = 2000000,
           .tied = true,
           .attention_bias_key = true,
           .mlp_bias_key = true,
           .unturned_layers = true,
           .windows = WindowRule::Unturned},
};

}  // namespace

const Family* find_family(std::string_view model_type) {
  const auto found = std::ranges::find(kFamilies, model_type, &Family::model_type);
  return found == kFamilies.end() ? nullptr : &*found;
}

const Family* find_gguf_family(std::string_view architecture) {
  const auto found = std::ranges::find(kFamilies, architecture, &Family::gguf);
  return found == kFamilies.end() || architecture.empty() ? nullptr : &*found;
}

std::string gguf_family_names() {
  std::string names;
  for (const auto& family : kFamilies)
    if (&family == find_gguf_family(family.gguf))
      names += (names.empty() ? "" : ", ") + std::string(family.gguf);
  return names;
}

std::string family_names() {
  std::string names;
  for (const auto& family : kFamilies)
    names += (names.empty() ? "" : ", ") + std::string(family.model_type);
  return names;
}

}  // namespace hone::rl
