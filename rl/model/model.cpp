#include "rl/model/model.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/zeros_like.h>

#include "rl/ops/matmul.h"
#include "rl/ops/zero_pages.h"

namespace hone::rl {
namespace {

std::string layer_name(std::size_t layer, const std::string& rest) {
  return "model.layers." + std::to_string(layer) + "." + rest;
}

/// A fused weight's parts under Hugging Face's names, in the order of their rows.
struct Part {
  const char* module;
  std::int64_t rows;
};
struct Fused {
  Linear Block::*linear;
  std::vector<Part> parts;
};
std::vector<Fused> fused_linears(const ModelConfig& c) {
  const std::int64_t q = c.num_attention_heads * c.head_dim,
                     kv = c.num_key_value_heads * c.head_dim, F = c.intermediate_size;
  return {
      {&Block::qkv, {{"self_attn.q_proj", q}, {"self_attn.k_proj", kv}, {"self_attn.v_proj", kv}}},
      {&Block::o, {{"self_attn.o_proj", c.hidden_size}}},
      {&Block::gate_up, {{"mlp.gate_proj", F}, {"mlp.up_proj", F}}},
      {&Block::down, {{"mlp.down_proj", c.hidden_size}}}};
}

bool has_bias(const ModelConfig& c, Linear Block::*linear) {
  if (linear == &Block::qkv) return c.attention_bias || c.qkv_bias;
  return linear == &Block::o ? c.attention_bias : c.mlp_bias;
}

}  // namespace

Model load_model(const ModelConfig& config, const TensorSource& weights, Held held) {
  Model model(config);
  const auto read = [&](const std::string& name) {
    return weights.read_f32(name).to(compute_device());
  };
  const auto read_table = [&](const std::string& name) {
    const auto table = read(name);
    return held == Held::RoundedWhole ? table.to(at::kBFloat16) : table;
  };
  const auto fused = fused_linears(config);
  // The largest first, while there is room for one in f32 beside its rounded copy.
  model.embed.value = read_table("model.embed_tokens.weight");
  if (config.output == Output::Score)
    model.score.value = read("score.weight");
  else if (!config.tie_word_embeddings)
    model.head.value = read_table("lm_head.weight");
  for (std::size_t i = 0; i < static_cast<std::size_t>(config.num_hidden_layers); ++i) {
    Block block;
    block.attention_norm.value = read(layer_name(i, "input_layernorm.weight"));
    block.mlp_norm.value = read(layer_name(i, "post_attention_layernorm.weight"));
    if (config.qk_norm) {
      block.q_norm.value = read(layer_name(i, "self_attn.q_norm.weight"));
      block.k_norm.value = read(layer_name(i, "self_attn.k_norm.weight"));
    }
    const auto read_parts = [&](const std::vector<Part>& parts, const char* kind) {
      std::vector<at::Tensor> tensors;
      for (const auto& part : parts)
        tensors.push_back(read(layer_name(i, std::string(part.module) + kind)));
      return tensors.size() == 1 ? tensors.front() : at::cat(tensors);
    };
    for (const auto& [linear, parts] : fused) {
      auto& value = (block.*linear).weight.value = read_parts(parts, ".weight");
      if (held != Held::F32) value = value.to(at::kBFloat16);
      if (has_bias(config, linear)) (block.*linear).bias.value = read_parts(parts, ".bias");
    }
    model.blocks.push_back(std::move(block));
  }
  model.norm.value = read("model.norm.weight");
  return model;
}

void for_each_weight(Model& model, const std::function<void(const std::string&, Weight&)>& visit) {
  visit("embed", model.embed);
  for (std::size_t i = 0; i < model.blocks.size(); ++i) {
    auto& block = model.blocks[i];
    const std::string prefix = "layers." + std::to_string(i) + ".";
    const auto visit_linear = [&](const char* name, Linear& linear) {
      visit(prefix + name, linear.weight);
      if (linear.bias.value.defined()) visit(prefix + name + ".bias", linear.bias);
      if (linear.lora.empty()) return;
      visit(prefix + name + ".lora_a", linear.lora_a);
      for (auto& slice : linear.lora) visit(prefix + name + ".lora_b." + slice.target, slice.b);
    };
    visit(prefix + "attention_norm", block.attention_norm);
    visit_linear("qkv", block.qkv);
    if (block.q_norm.value.defined()) {
      visit(prefix + "q_norm", block.q_norm);
      visit(prefix + "k_norm", block.k_norm);
    }
    visit_linear("o", block.o);
    visit(prefix + "mlp_norm", block.mlp_norm);
    visit_linear("gate_up", block.gate_up);
    visit_linear("down", block.down);
  }
  visit("norm", model.norm);
  if (model.head.value.defined()) visit("head", model.head);
  if (model.score.value.defined()) visit("score", model.score);
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
  // Where the output has weights of its own, tokens that no row has cost no memory. Pages are f32.
  const bool own_output = model.score.value.defined() || model.head.value.defined();
  if (own_output && !model.embed.value.is_cuda() && model.embed.value.scalar_type() == at::kFloat) {
    model.embed.looked_up = true;
    model.embed.grad = zero_pages(model.embed.value.sizes());
  }
}

namespace {

void for_each_linear(Model& model, const std::function<void(Weight&)>& visit) {
  for (auto& block : model.blocks)
    for (auto* linear : {&block.qkv, &block.o, &block.gate_up, &block.down}) visit(linear->weight);
}

}  // namespace

void use_bf16_products(Model& model) {
  for_each_linear(model, [](Weight& weight) {
    (weight.grad.defined() ? weight.rounded : weight.value) = weight.value.to(at::kBFloat16);
  });
  if (!model.embed.value.is_cuda()) return;
  const auto copy = [](Weight& weight) { weight.rounded = weight.value.to(at::kBFloat16); };
  if (!model.score.value.defined()) copy(model.output());
  for (auto& block : model.blocks)
    for (auto* linear : {&block.qkv, &block.o, &block.gate_up, &block.down}) {
      if (linear->lora.empty()) continue;
      copy(linear->lora_a);
      for (auto& slice : linear->lora) copy(slice.b);
    }
}

void refresh_bf16_products(Model& model) {
  for_each_weight(model, [](const std::string&, Weight& weight) {
    if (weight.rounded.defined()) weight.rounded.copy_(weight.value);
  });
}

NamedTensors named_weights(const Model& model) {
  const auto fused = fused_linears(model.config);
  NamedTensors out;
  out.emplace_back("model.embed_tokens.weight", model.embed.value);
  for (std::size_t i = 0; i < model.blocks.size(); ++i) {
    const auto& block = model.blocks[i];
    const auto add_linear = [&](std::size_t which) {
      const auto& linear = block.*fused[which].linear;
      const auto& weight = linear.weight.value;
      std::int64_t row = 0;
      for (const auto& [module, rows] : fused[which].parts) {
        const auto name = layer_name(i, module);
        out.emplace_back(name + ".weight", weight.narrow(0, row, rows));
        if (linear.bias.value.defined())
          out.emplace_back(name + ".bias", linear.bias.value.narrow(0, row, rows));
        row += rows;
      }
    };
    out.emplace_back(layer_name(i, "input_layernorm.weight"), block.attention_norm.value);
    add_linear(0);
    add_linear(1);
    if (block.q_norm.value.defined()) {
      out.emplace_back(layer_name(i, "self_attn.q_norm.weight"), block.q_norm.value);
      out.emplace_back(layer_name(i, "self_attn.k_norm.weight"), block.k_norm.value);
    }
    out.emplace_back(layer_name(i, "post_attention_layernorm.weight"), block.mlp_norm.value);
    add_linear(2);
    add_linear(3);
  }
  out.emplace_back("model.norm.weight", model.norm.value);
  if (model.head.value.defined()) out.emplace_back("lm_head.weight", model.head.value);
  if (model.score.value.defined()) out.emplace_back("score.weight", model.score.value);
  return out;
}

}  // namespace hone::rl
