#include "rl/formats/gguf_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

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

using Side = std::string_view Name::*;

// `name` is one of side `from`, whose layers begin with `prefix`; told in the words of side `to`.
std::optional<std::string> translate(std::string_view name, Side from, std::string_view prefix,
                                     Side to, std::string_view to_prefix) {
  for (const auto& whole : kWhole)
    if (name == whole.*from) return std::string(whole.*to);
  if (!name.starts_with(prefix)) return std::nullopt;
  const auto start = prefix.size();
  const auto dot = name.find('.', start);
  const auto last = name.rfind('.');
  if (dot == std::string_view::npos || dot == start || last <= dot) return std::nullopt;
  const auto layer = name.substr(start, dot - start);
  if (!std::ranges::all_of(layer, [](char c) { return c >= '0' && c <= '9'; })) return std::nullopt;
  const auto part = name.substr(dot + 1, last - dot - 1);
  const auto kind = name.substr(last + 1);
  if (kind != "weight" && kind != "bias") return std::nullopt;
  for (const auto& inner : kInLayer)
    if (part == inner.*from) return fmt::format("{}{}.{}.{}", to_prefix, layer, inner.*to, kind);
  return std::nullopt;
}

}  // namespace

std::optional<std::string> hf_name(std::string_view name) {
  return translate(name, &Name::gguf, "blk.", &Name::hf, "model.layers.");
}

std::optional<std::string> gguf_name(std::string_view name) {
  return translate(name, &Name::hf, "model.layers.", &Name::gguf, "blk.");
}

bool is_rotated(std::string_view name) {
  return name.find(".self_attn.q_proj.") != std::string_view::npos ||
         name.find(".self_attn.k_proj.") != std::string_view::npos;
}

}  // namespace hone::rl
