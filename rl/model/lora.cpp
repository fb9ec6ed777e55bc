#include "rl/model/lora.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>

#include "feedback/base/error.h"

namespace hone::rl {
namespace {

/// Where a target lies: which fused linear of a block, and which rows of it.
struct Place {
  Linear Block::*linear;
  std::string_view module;  // PEFT's path inside the layer
  std::int64_t row, rows;
};

Place place_of(const ModelConfig& c, std::string_view target) {
  const std::int64_t q = c.num_attention_heads * c.head_dim,
                     kv = c.num_key_value_heads * c.head_dim;
  if (target == "q_proj") return {&Block::qkv, "self_attn.", 0, q};
  if (target == "k_proj") return {&Block::qkv, "self_attn.", q, kv};
  if (target == "v_proj") return {&Block::qkv, "self_attn.", q + kv, kv};
  if (target == "o_proj") return {&Block::o, "self_attn.", 0, c.hidden_size};
  if (target == "gate_proj") return {&Block::gate_up, "mlp.", 0, c.intermediate_size};
  if (target == "up_proj")
    return {&Block::gate_up, "mlp.", c.intermediate_size, c.intermediate_size};
  if (target == "down_proj") return {&Block::down, "mlp.", 0, c.hidden_size};
  throw Error(
      Code::Invalid,
      "there is no linear layer \"" + std::string(target) +
          "\" to adapt; targets are q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj",
      "adapter.targets");
}

/// Makes the empty adapters of the layout that `spec` asks for; slices stand in kLoraTargets'
/// order.
void lay_out(Model& model, const LoraSpec& spec) {
  for (const auto& target : spec.targets) place_of(model.config, target);
  model.lora = spec;
  model.lora_scale = spec.alpha / static_cast<double>(spec.rank);
  const auto options = model.norm.value.options();
  for (auto& block : model.blocks) {
    for (const char* target : kLoraTargets) {
      if (std::find(spec.targets.begin(), spec.targets.end(), target) == spec.targets.end())
        continue;
      const auto place = place_of(model.config, target);
      auto& linear = block.*place.linear;
      linear.lora.push_back(
          {target, place.row, place.rows, {at::zeros({place.rows, spec.rank}, options), {}, {}}});
    }
    for (auto* linear : {&block.qkv, &block.o, &block.gate_up, &block.down}) {
      if (linear->lora.empty()) continue;
      const auto slices = static_cast<std::int64_t>(linear->lora.size());
      linear->lora_a.value = at::empty({slices * spec.rank, linear->weight.value.size(1)}, options);
    }
  }
}

std::string peft_name(std::size_t layer, const Place& place, const std::string& target,
                      const char* which) {
  return "base_model.model.model.layers." + std::to_string(layer) + "." +
         std::string(place.module) + target + ".lora_" + which + ".weight";
}

}  // namespace

void add_lora(Model& model, const LoraSpec& spec, const Random& init) {
  lay_out(model, spec);
  std::uint64_t which = 0;
  for_each_weight(model, [&](const std::string& name, Weight& weight) {
    weight.grad = at::Tensor();
    if (name.find(".lora_") == std::string::npos) return;
    weight.grad = at::zeros_like(weight.value);
    if (!name.ends_with(".lora_a")) return;
    const double bound = 1.0 / std::sqrt(static_cast<double>(weight.value.size(1)));
    auto drawn = at::empty(weight.value.sizes(), at::kFloat);
    float* p = drawn.data_ptr<float>();
    for (std::int64_t i = 0; i < drawn.numel(); ++i)
      p[i] =
          static_cast<float>((2 * init.uniform(which, static_cast<std::uint64_t>(i)) - 1) * bound);
    weight.value = drawn.to(weight.value.options());
    ++which;
  });
}

void add_lora(Model& model, const LoraFile& file) {
  if (file.output == Output::Score)
    throw Error(Code::Invalid, "the adapter is a reward model's: it gives scores, not tokens",
                "adapter");
  LoraSpec spec;
  spec.rank = file.rank;
  spec.alpha =
      file.rank_stabilised ? file.alpha * std::sqrt(static_cast<double>(file.rank)) : file.alpha;
  spec.targets = file.targets;
  lay_out(model, spec);
  std::map<std::string, at::Tensor> tensors(file.tensors.begin(), file.tensors.end());
  for (std::size_t i = 0; i < model.blocks.size(); ++i) {
    for (const auto& target : spec.targets) {
      const auto place = place_of(model.config, target);
      auto& linear = model.blocks[i].*place.linear;
      for (std::size_t s = 0; s < linear.lora.size(); ++s) {
        if (linear.lora[s].target != target) continue;
        linear.lora_a.value.narrow(0, static_cast<std::int64_t>(s) * spec.rank, spec.rank)
            .copy_(tensors.at(peft_name(i, place, target, "A")));
        linear.lora[s].b.value.copy_(tensors.at(peft_name(i, place, target, "B")));
      }
    }
  }
}

LoraFile lora_file(const Model& model, const std::string& base_model) {
  LoraFile file;
  file.rank = model.lora.rank;
  file.alpha = model.lora.alpha;
  file.targets = model.lora.targets;
  file.base_model = base_model;
  if (model.score.value.defined()) {
    file.output = Output::Score;
    file.score = model.score.value.cpu();
  }
  for (std::size_t i = 0; i < model.blocks.size(); ++i) {
    for (const char* target : kLoraTargets) {
      const auto place = place_of(model.config, target);
      const auto& linear = model.blocks[i].*place.linear;
      for (std::size_t s = 0; s < linear.lora.size(); ++s) {
        if (linear.lora[s].target != target) continue;
        file.tensors.emplace_back(
            peft_name(i, place, target, "A"),
            linear.lora_a.value.narrow(0, static_cast<std::int64_t>(s) * file.rank, file.rank)
                .cpu());
        file.tensors.emplace_back(peft_name(i, place, target, "B"), linear.lora[s].b.value.cpu());
      }
    }
  }
  return file;
}

}  // namespace hone::rl
