// What we publish: a Hugging Face model directory and a PEFT adapter directory, loaded unmodified
// by transformers, PEFT and vLLM.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "rl/formats/base.h"
#include "rl/formats/safetensors.h"

namespace hone::rl {

/// What the README.md of a published folder says. `lineage` is a JSON object, shown as it is.
struct ModelCard {
  std::string name;               ///< the title
  std::string base_model;         ///< the front matter's base_model; empty: the base's name
  std::vector<std::string> tags;  ///< beside "hone"
  std::string summary;            ///< markdown below the title
  std::string lineage = "{}";
};

enum class WeightType { Float32, BFloat16, Float16 };

/// Writes the model into `dir` (made when missing): config, weights, tokenizer files, generation
/// config, README.md and the base's LICENSE. `weights` must be exactly
/// expected_weights(base.config), in any order, CPU, any float type; each is cast once to `type`.
/// The files are flushed and renamed one by one and the folder flushed at the end; a caller who
/// wants all or nothing gives a temporary folder and renames it.
void export_hf(const std::filesystem::path& dir, const Base& base, const NamedTensors& weights,
               const ModelCard& card, WeightType type = WeightType::Float32);

/// The same from weights that are read one by one; `told` hears the numbers written, of all.
void export_hf(const std::filesystem::path& dir, const Base& base, const TensorSource& weights,
               const ModelCard& card, WeightType type,
               const std::function<void(std::int64_t done, std::int64_t total)>& told = {});

/// A LoRA adapter under PEFT's names: W + scale * B A, scale = alpha / rank (alpha / sqrt(rank)
/// when rank_stabilised).
struct LoraFile {
  std::int64_t rank = 0;
  double alpha = 0;
  bool rank_stabilised = false;
  std::vector<std::string> targets;  ///< "q_proj", "down_proj" ...
  std::string base_model = {};       ///< base_model_name_or_path: where a reader finds the base
  NamedTensors tensors = {};  ///< base_model.model.model.layers.N.self_attn.q_proj.lora_A.weight
                              ///< [r,in], lora_B [out,r]
  /// Of the adapted model. A score's head is not adapted but trained whole, and lies beside the
  /// adapter: PEFT's SEQ_CLS.
  Output output = Output::Tokens;
  at::Tensor score = {};  ///< [1,C]
};

/// Writes adapter_config.json, adapter_model.safetensors, the tokenizer files and README.md.
void export_peft(const std::filesystem::path& dir, const Base& base, const LoraFile& lora,
                 const ModelCard& card);

/// Reads an adapter directory for a base of this shape, a language model's or a reward model's.
/// Anything else that is not plain LoRA on the linear layers (DoRA, other modules_to_save, biases,
/// per-layer ranks) is refused by the key's name, and so is an adapter whose tensors do not fit the
/// shape. Tensors come back as f32.
LoraFile read_peft(const std::filesystem::path& dir, const ModelConfig& config);

}  // namespace hone::rl
