// PEFT's adapter_config.json and tensor names.
#pragma once

#include <string>

#include "rl/formats/export.h"

namespace hone::rl {

/// The adapter's tensors in the order of the layers: for each target of each layer A [r,in], then
/// B [out,r]. Invalid, under the name `label`, when a target is no linear layer of the model, or a
/// tensor is missing, unknown or of another shape.
NamedTensors check_lora(const ModelConfig& config, const LoraFile& lora, const std::string& label);

/// check_lora's tensors and a reward adapter's score head, as adapter_model.safetensors holds them.
NamedTensors tensors_of(const ModelConfig& config, const LoraFile& lora, const std::string& label);

std::string write_adapter_config(const LoraFile& lora, const std::string& base_model);

/// Rank, alpha, scaling and targets of adapter_config.json (no tensors); Invalid naming what is not
/// plain LoRA.
LoraFile read_adapter_config(std::string_view json);

}  // namespace hone::rl
