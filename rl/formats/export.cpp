#include "rl/formats/export.h"

#include <ATen/ops/isfinite.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <unordered_map>

#include "feedback/base/error.h"
#include "rl/formats/files.h"
#include "rl/formats/json.h"
#include "rl/formats/model_card.h"
#include "rl/formats/peft.h"

namespace hone::rl {
namespace {

namespace fs = std::filesystem;

struct TypeName {
  WeightType type;
  at::ScalarType scalar;
  std::string_view name;
};
constexpr std::array kTypes = {TypeName{WeightType::Float32, at::kFloat, "float32"},
                               TypeName{WeightType::BFloat16, at::kBFloat16, "bfloat16"},
                               TypeName{WeightType::Float16, at::kHalf, "float16"}};

// The weights in the order files hold them; exactly those that the shape has.
std::vector<TensorPlan> in_file_order(const ModelConfig& config, std::vector<TensorPlan> given) {
  std::unordered_map<std::string, TensorPlan*> by_name;
  for (auto& plan : given)
    if (!by_name.emplace(plan.name, &plan).second) refuse("export", plan.name, "is given twice");
  std::vector<TensorPlan> ordered;
  for (const auto& [name, shape] : expected_weights(config)) {
    const auto found = by_name.find(name);
    if (found == by_name.end()) refuse("export", name, "is not given");
    if (found->second->shape != shape)
      refuse("export", name,
             fmt::format("has the shape [{}], wanted is [{}]",
                         fmt::join(found->second->shape, ", "), fmt::join(shape, ", ")));
    ordered.push_back(std::move(*found->second));
    by_name.erase(found);
  }
  if (!by_name.empty()) refuse("export", by_name.begin()->first, "is no weight of this model");
  return ordered;
}

void write_side_files(const fs::path& dir, const Base& base) {
  for (const auto& file : base.side_files) write_file(dir / file.name, file.bytes);
}

void write_hf(const fs::path& dir, const Base& base, std::vector<TensorPlan> plans,
              const ModelCard& card, WeightType type) {
  const auto& kind = *std::ranges::find(kTypes, type, &TypeName::type);
  auto ordered = in_file_order(base.config, std::move(plans));
  for (auto& plan : ordered) {
    plan.type = kind.scalar;
    if (type != WeightType::Float16) continue;
    plan.read = [read = plan.read, name = plan.name] {
      auto half = read().to(at::kHalf);
      if (!at::isfinite(half).all().item<bool>())
        refuse("export", name, "holds a number that float16 does not: take bfloat16 or float32");
      return half;
    };
  }
  const auto readme = write_model_card(card, base, "transformers");
  fs::create_directories(dir);
  write_file(dir / "config.json", write_config_json(base.config, kind.name, base.config_json));
  write_sharded_safetensors(dir, ordered);
  write_side_files(dir, base);
  write_file(dir / "README.md", readme);
  flush_folder(dir);
}

}  // namespace

void export_hf(const fs::path& dir, const Base& base, const NamedTensors& weights,
               const ModelCard& card, WeightType type) {
  std::vector<TensorPlan> plans;
  for (const auto& [name, tensor] : weights)
    plans.push_back({name, tensor.sizes().vec(), at::kFloat, [held = tensor] { return held; }});
  write_hf(dir, base, std::move(plans), card, type);
}

void export_hf(const fs::path& dir, const Base& base, const TensorSource& weights,
               const ModelCard& card, WeightType type,
               const std::function<void(std::int64_t, std::int64_t)>& told) {
  const auto expected = expected_weights(base.config);
  const auto total = parameters(base.config);
  std::int64_t done = 0;
  std::vector<TensorPlan> plans;
  for (const auto& weight : expected)
    plans.push_back({weight.name, weight.shape, at::kFloat, [&] {
                       auto tensor = weights.read_f32(weight.name);
                       done += weight.numbers();
                       if (told) told(done, total);
                       return tensor;
                     }});
  write_hf(dir, base, std::move(plans), card, type);
}

void export_peft(const fs::path& dir, const Base& base, const LoraFile& lora,
                 const ModelCard& card) {
  const auto ordered = tensors_of(base.config, lora, "export");
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
