// A model as one GGUF file, loaded unmodified by llama.cpp and Ollama.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "rl/formats/base.h"
#include "rl/formats/export.h"
#include "rl/formats/gguf.h"

namespace hone::rl {

/// "f32", "f16", "bf16", "q8_0", "q4_0" or "q4_k"; nullopt for another.
std::optional<GgmlType> find_gguf_type(std::string_view name);

/// Writes shape, tokenizer, chat template, lineage and weights to `path`. `weights` has the weights
/// of base.config under Hugging Face's names. Matrices are stored as `type`, with three exceptions:
/// beside 4-bit types the embedding and the head are Q8_0; rows that do not divide into blocks of
/// 256 are Q5_0 instead of Q4_K, and such as do not divide into 32 are F16. Vectors are F32.
/// Invalid naming what of the model GGUF cannot say: it is refused, never left out.
void export_gguf(const std::filesystem::path& path, const Base& base, const TensorSource& weights,
                 GgmlType type, const ModelCard& card,
                 const std::function<void(std::int64_t done, std::int64_t total)>& told = {});

}  // namespace hone::rl
