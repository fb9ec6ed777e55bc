// A decoder of any family as plain structs of tensors: what it holds, loading and taking apart.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "rl/formats/config.h"
#include "rl/formats/safetensors.h"
#include "rl/formats/tensor_source.h"
#include "rl/ops/attention.h"
#include "rl/ops/rowwise.h"

namespace hone::rl {

/// One parameter. A weight without `grad` is frozen: no gradient is computed for it.
struct Weight {
  at::Tensor value;
  at::Tensor grad;     ///< same shape; the backward pass adds to it
  at::Tensor rounded;  ///< bf16 copy that products use, while `value` is the f32 master
  /// The gradient is of the rows that were looked up, and zero in all others (zero_pages.h).
  bool looked_up = false;
  /// What products take: f32, or bf16 (see use_bf16_products).
  const at::Tensor& operand() const { return rounded.defined() ? rounded : value; }
  /// What flows into such a product: its own type, but f32 into a bf16 one on the CPU, which rounds
  /// it itself.
  at::ScalarType input_type() const {
    const auto type = operand().scalar_type();
    return type == at::kBFloat16 && !value.is_cuda() ? at::kFloat : type;
  }
};

/// The adapter of one of the matrices that lie stacked in a fused weight.
struct LoraSlice {
  std::string target;    ///< "q_proj"
  std::int64_t row = 0;  ///< its first output row in the fused weight
  std::int64_t rows = 0;
  Weight b;  ///< [rows, rank]
};

/// y = x W^T + bias, and for each slice y[slice] += scale * (x A_slice^T) B_slice^T.
struct Linear {
  Weight weight;                ///< [out, in]
  Weight bias;                  ///< [out]; undefined: none
  Weight lora_a;                ///< [slices * rank, in]: the slices' A stacked, one product for all
  std::vector<LoraSlice> lora;  ///< empty: no adapter
};

/// Pre-norm block; q/k/v and gate/up are fused at load: fewer, larger products.
struct Block {
  Weight attention_norm;  ///< [C]
  Linear qkv;             ///< [(heads + 2 kv_heads) * dim, C]
  Weight q_norm, k_norm;  ///< [dim], over each head before positions; undefined: none
  Linear o;               ///< [C, heads * dim]
  Weight mlp_norm;        ///< [C]
  Linear gate_up;         ///< [2F, C]
  Linear down;            ///< [C, F]
};

/// A LoRA adapter (Hu et al. 2021, arXiv:2106.09685) on some of the linear layers: scale = alpha /
/// rank.
struct LoraSpec {
  std::int64_t rank = 16;
  double alpha = 32;
  std::vector<std::string> targets = {"q_proj",    "k_proj",  "v_proj",   "o_proj",
                                      "gate_proj", "up_proj", "down_proj"};
};

struct Model {
  explicit Model(const ModelConfig& shape) : config(shape), rope(shape) {}

  ModelConfig config;
  Weight embed;  ///< [V, C]
  std::vector<Block> blocks;
  Weight norm;   ///< [C]
  Weight head;   ///< [V, C]; undefined when tied to embed
  Weight score;  ///< [1, C]; in the head's place when the output is a score
  Rope rope;
  LoraSpec lora;
  double lora_scale = 0;  ///< 0: no adapter
  bool adapters_on = true;

  HeadShape head_shape(std::size_t layer) const {
    return {config.num_attention_heads, config.num_key_value_heads, config.head_dim,
            config.window_of(layer)};
  }
  at::Device device() const { return embed.value.device(); }
  const Weight& output() const {
    if (score.value.defined()) return score;
    return head.value.defined() ? head : embed;
  }
  Weight& output() { return const_cast<Weight&>(std::as_const(*this).output()); }
};

/// What weights are read into. bf16 is for those that do not train: they are rounded one at a time,
/// so that all of the model is never there as f32.
enum class Held {
  F32,
  Rounded,      ///< the blocks' linear layers in bf16
  RoundedWhole  ///< embedding and head too: half the memory, and log-probabilities that are not
                ///< quite those of a model that trains. For sampling alone
};

/// Reads all weights, onto compute_device(), as f32 but for what `held` says.
Model load_model(const ModelConfig& config, const TensorSource& weights, Held held = Held::F32);

/// Calls `visit` with every parameter under a stable name, adapters included; a tied head once.
void for_each_weight(Model& model, const std::function<void(const std::string&, Weight&)>& visit);

/// Parameters that train: those with a gradient, in for_each_weight's order.
struct NamedWeight {
  std::string name;
  Weight* weight;
};
std::vector<NamedWeight> trainable(Model& model);

/// Gives every weight of the base a gradient of zeros (all weights train).
void train_all_weights(Model& model);

/// From here on the products of the blocks' linear layers take bf16 operands. Weights that train
/// keep an f32 master beside a rounded copy; frozen ones are kept rounded alone. On the CPU
/// embedding, norms, head and adapters stay what they were read into, f32 as a rule: the head's
/// rounding would move every log-probability. (Sampling a few at once reads a rounded head first
/// and computes what is likely again: rl/ops/coarse_head.h.) On a CUDA device, where f32 products
/// are ten times as slow, head and adapters have rounded copies too; logits are f32. Call when it
/// is known which weights train.
void use_bf16_products(Model& model);
/// Rounds the masters again: after each optimizer step, and after weights were read into them.
void refresh_bf16_products(Model& model);

/// The model's own weights under Hugging Face's names, as views; adapters are left out
/// (MergedWeights of rl/formats/merge.h adds one to a base).
NamedTensors named_weights(const Model& model);

}  // namespace hone::rl
