#include "rl/model/model.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/zeros_like.h>

#include "feedback/base/error.h"
#include "rl/model/lora.h"

namespace hone::rl {
namespace {

std::string layer_name(std::size_t layer, const char* rest) {
  return "model.layers." + std::to_string(layer) + "." + rest + ".weight";
}

}  // namespace

Model load_model(const ModelConfig& config, const TensorSource& weights) {
  if (config.attention_bias || config.mlp_bias)
    throw Error(Code::Invalid, "models with biases on their linear layers are not supported yet",
                config.attention_bias ? "attention_bias" : "mlp_bias");
  Model model(config);
  const auto read = [&](const std::string& name) { return weights.read_f32(name); };
  model.embed.value = read("model.embed_tokens.weight");
  for (std::size_t i = 0; i < static_cast<std::size_t>(config.num_hidden_layers); ++i) {
    Block block;
    block.attention_norm.value = read(layer_name(i, "input_layernorm"));
    block.qkv.weight.value =
        at::cat({read(layer_name(i, "self_attn.q_proj")), read(layer_name(i, "self_attn.k_proj")),
                 read(layer_name(i, "self_attn.v_proj"))});
    block.o.weight.value = read(layer_name(i, "self_attn.o_proj"));
    block.mlp_norm.value = read(layer_name(i, "post_attention_layernorm"));
    block.gate_up.weight.value =
        at::cat({read(layer_name(i, "mlp.gate_proj")), read(layer_name(i, "mlp.up_proj"))});
    block.down.weight.value = read(layer_name(i, "mlp.down_proj"));
    model.blocks.push_back(std::move(block));
  }
  model.norm.value = read("model.norm.weight");
  if (!config.tie_word_embeddings) model.head.value = read("lm_head.weight");
  return model;
}

void for_each_weight(Model& model, const std::function<void(const std::string&, Weight&)>& visit) {
  visit("embed", model.embed);
  for (std::size_t i = 0; i < model.blocks.size(); ++i) {
    auto& block = model.blocks[i];
    const std::string prefix = "layers." + std::to_string(i) + ".";
    const auto visit_linear = [&](const char* name, Linear& linear) {
      visit(prefix + name, linear.weight);
      if (linear.lora.empty()) return;
      visit(prefix + name + ".lora_a", linear.lora_a);
      for (auto& slice : linear.lora) visit(prefix + name + ".lora_b." + slice.target, slice.b);
    };
    visit(prefix + "attention_norm", block.attention_norm);
    visit_linear("qkv", block.qkv);
    visit_linear("o", block.o);
    visit(prefix + "mlp_norm", block.mlp_norm);
    visit_linear("gate_up", block.gate_up);
    visit_linear("down", block.down);
  }
  visit("norm", model.norm);
  if (model.head.value.defined()) visit("head", model.head);
}

std::vector<NamedWeight> trainable(Model& model) {
  std::vector<NamedWeight> out;
  for_each_weight(model, [&](const std::string& name, Weight& weight) {
    if (weight.grad.defined()) out.push_back({name, &weight});
  });
  return out;
}

void train_all_weights(Model& model) {
  for_each_weight(model, [](const std::string&, Weight& weight) {
    weight.grad = at::zeros_like(weight.value);
  });
}

NamedTensors named_weights(const Model& model) {
  const auto& c = model.config;
  const std::int64_t q = c.num_attention_heads * c.head_dim,
                     kv = c.num_key_value_heads * c.head_dim, F = c.intermediate_size;
  NamedTensors out;
  out.emplace_back("model.embed_tokens.weight", model.embed.value);
  for (std::size_t i = 0; i < model.blocks.size(); ++i) {
    const auto& block = model.blocks[i];
    const auto qkv = merged_weight(model, block.qkv), gate_up = merged_weight(model, block.gate_up);
    out.emplace_back(layer_name(i, "input_layernorm"), block.attention_norm.value);
    out.emplace_back(layer_name(i, "self_attn.q_proj"), qkv.narrow(0, 0, q));
    out.emplace_back(layer_name(i, "self_attn.k_proj"), qkv.narrow(0, q, kv));
    out.emplace_back(layer_name(i, "self_attn.v_proj"), qkv.narrow(0, q + kv, kv));
    out.emplace_back(layer_name(i, "self_attn.o_proj"), merged_weight(model, block.o));
    out.emplace_back(layer_name(i, "post_attention_layernorm"), block.mlp_norm.value);
    out.emplace_back(layer_name(i, "mlp.gate_proj"), gate_up.narrow(0, 0, F));
    out.emplace_back(layer_name(i, "mlp.up_proj"), gate_up.narrow(0, F, F));
    out.emplace_back(layer_name(i, "mlp.down_proj"), merged_weight(model, block.down));
  }
  out.emplace_back("model.norm.weight", model.norm.value);
  if (model.head.value.defined()) out.emplace_back("lm_head.weight", model.head.value);
  return out;
}

}  // namespace hone::rl
