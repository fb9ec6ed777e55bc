// adapter_config.json of PEFT, read, written and read again.
#include "rl/formats/peft.h"
#include "tests/fuzz/targets.h"

namespace hone::fuzz {
namespace {

rl::ModelConfig small() {
  rl::ModelConfig config;
  config.vocab_size = 100;
  config.hidden_size = config.intermediate_size = config.max_position_embeddings = 16;
  config.num_hidden_layers = config.num_attention_heads = config.num_key_value_heads = 1;
  config.head_dim = 16;
  return config;
}

}  // namespace

void adapter_config(std::string_view bytes) {
  accepts([&] {
    const auto read = rl::read_adapter_config(bytes);
    accepts([&] { rl::check_lora(small(), read, "adapter"); });
    const auto text = rl::write_adapter_config(read, read.base_model);
    rl::LoraFile again;
    promise(accepts([&] { again = rl::read_adapter_config(text); }),
            "adapter_config.json that was written is read");
    promise(again.rank == read.rank && again.alpha == read.alpha &&
                again.rank_stabilised == read.rank_stabilised && again.targets == read.targets &&
                again.base_model == read.base_model,
            "adapter_config.json reads again as it was");
  });
}

}  // namespace hone::fuzz
