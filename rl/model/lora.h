// LoRA adapters on slices of the fused weights: making, PEFT's form and back.
#pragma once

#include "rl/formats/export.h"
#include "rl/model/model.h"
#include "rl/random/philox.h"

namespace hone::rl {

/// Linear layers that may carry an adapter, in PEFT's names.
inline constexpr const char* kLoraTargets[] = {"q_proj",    "k_proj",  "v_proj",   "o_proj",
                                               "gate_proj", "up_proj", "down_proj"};

/// Adds fresh adapters that train: A uniform in +-1/sqrt(in) as PEFT draws it, B zero, so that the
/// model starts as the base. The base's own weights stay frozen. Invalid for an unknown target.
void add_lora(Model& model, const LoraSpec& spec, const Random& init);

/// Adds a read adapter, frozen; Invalid for a reward model's, which is merged when it is loaded
/// (rl/formats/merge.h).
void add_lora(Model& model, const LoraFile& file);

/// The adapter under PEFT's names; `base_model` is where a reader finds the base.
LoraFile lora_file(const Model& model, const std::string& base_model);

}  // namespace hone::rl
