#include "rl/formats/export.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <unordered_map>

#include "feedback/base/error.h"
#include "rl/formats/files.h"
#include "rl/formats/json.h"
#include "rl/formats/model_card.h"
#include "rl/formats/peft.h"

namespace hone::rl {
namespace {

namespace fs = std::filesystem;

// The weights in the order files hold them, cast; exactly those that the shape has.
NamedTensors in_file_order(const ModelConfig& config, const NamedTensors& weights,
                           at::ScalarType type) {
  std::unordered_map<std::string, const at::Tensor*> given;
  for (const auto& [name, tensor] : weights)
    if (!given.emplace(name, &tensor).second) refuse("export", name, "is given twice");
  NamedTensors ordered;
  for (const auto& [name, shape] : expected_weights(config)) {
    const auto found = given.find(name);
    if (found == given.end()) refuse("export", name, "is not given");
    if (found->second->sizes() != at::IntArrayRef(shape))
      refuse("export", name,
             fmt::format("has the shape [{}], wanted is [{}]",
                         fmt::join(found->second->sizes().vec(), ", "), fmt::join(shape, ", ")));
    ordered.emplace_back(name, found->second->to(type));
    given.erase(found);
  }
  if (!given.empty()) refuse("export", given.begin()->first, "is no weight of this model");
  return ordered;
}

void write_side_files(const fs::path& dir, const Base& base) {
  for (const auto& file : base.side_files) write_file(dir / file.name, file.bytes);
}

}  // namespace

void export_hf(const fs::path& dir, const Base& base, const NamedTensors& weights,
               const ModelCard& card, WeightType type) {
  const bool f32 = type == WeightType::Float32;
  const auto ordered = in_file_order(base.config, weights, f32 ? at::kFloat : at::kBFloat16);
  const auto readme = write_model_card(card, base, "transformers");
  fs::create_directories(dir);
  write_file(dir / "config.json",
             write_config_json(base.config, f32 ? "float32" : "bfloat16", base.config_json));
  write_safetensors(dir / "model.safetensors", ordered);
  write_side_files(dir, base);
  write_file(dir / "README.md", readme);
  flush_folder(dir);
}

void export_peft(const fs::path& dir, const Base& base, const LoraFile& lora,
                 const ModelCard& card) {
  const auto ordered = check_lora(base.config, lora, "export");
  const auto readme = write_model_card(card, base, "peft");
  fs::create_directories(dir);
  write_file(dir / "adapter_config.json",
             write_adapter_config(lora, lora.base_model.empty() ? base.name : lora.base_model));
  write_safetensors(dir / "adapter_model.safetensors", ordered);
  write_side_files(dir, base);
  write_file(dir / "README.md", readme);
  flush_folder(dir);
}

}  // namespace hone::rl
