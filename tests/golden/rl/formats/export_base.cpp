// export_base BASE OUT: writes OUT/f32 and OUT/bf16, the base exported as it is, and OUT/adapter,
// an adapter with made-up numbers. For check_export.py, which opens them in transformers and peft.
#include <ATen/ops/arange.h>
#include <fmt/format.h>

#include <cstdint>
#include <cstdio>
#include <string>

#include "feedback/base/error.h"
#include "rl/formats/base.h"
#include "rl/formats/export.h"

namespace {

using namespace hone::rl;

/// Exact in f32, so that any version of torch makes the same.
at::Tensor numbers(std::int64_t rows, std::int64_t columns) {
  return at::arange(rows * columns)
      .remainder(101)
      .sub(50)
      .to(at::kFloat)
      .mul(1.0 / 4096)
      .view({rows, columns});
}

LoraFile made_up_adapter(const ModelConfig& c) {
  LoraFile lora{.rank = 4, .alpha = 8, .targets = {"q_proj", "down_proj"}};
  for (std::int64_t layer = 0; layer < c.num_hidden_layers; ++layer) {
    const auto add = [&](const std::string& module, std::int64_t out, std::int64_t in) {
      const auto name = fmt::format("base_model.model.model.layers.{}.{}.", layer, module);
      lora.tensors.emplace_back(name + "lora_A.weight", numbers(lora.rank, in));
      lora.tensors.emplace_back(name + "lora_B.weight", numbers(out, lora.rank));
    };
    add("self_attn.q_proj", c.num_attention_heads * c.head_dim, c.hidden_size);
    add("mlp.down_proj", c.hidden_size, c.intermediate_size);
  }
  return lora;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::fputs("usage: export_base BASE OUT\n", stderr), 64;
  try {
    const auto base = open_base(argv[1]);
    const std::filesystem::path out = argv[2];
    NamedTensors weights;
    for (const auto& info : base.weights->tensors())
      weights.emplace_back(info.name, base.weights->read_f32(info.name));
    const ModelCard card{.name = "Export check",
                         .base_model = "",
                         .tags = {"dpo"},
                         .summary = "The base, exported.",
                         .lineage = R"({"code": "test"})"};
    export_hf(out / "f32", base, weights, card);
    export_hf(out / "bf16", base, weights, card, WeightType::BFloat16);
    auto lora = made_up_adapter(base.config);
    lora.base_model = (out / "f32").string();
    export_peft(out / "adapter", base, lora, card);
  } catch (const hone::Error& error) {
    return std::fprintf(stderr, "%s\n", error.what()), 1;
  }
}
