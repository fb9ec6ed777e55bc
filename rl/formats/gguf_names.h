// One tensor, two names: "blk.3.attn_q.weight" and "model.layers.3.self_attn.q_proj.weight".
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hone::rl {

/// The rotary factors of llama3 scaling: part of the shape, no weight.
inline constexpr std::string_view kRopeFactors = "rope_freqs.weight";

/// nullopt for a name that no family has.
std::optional<std::string> hf_name(std::string_view gguf_name);
std::optional<std::string> gguf_name(std::string_view hf_name);

/// True for the rows of q and k, which llama.cpp's files keep in another order for some families:
/// it rotates neighbouring pairs where Hugging Face rotates halves.
bool is_rotated(std::string_view hf_name);

}  // namespace hone::rl
