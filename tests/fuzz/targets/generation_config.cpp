// generation_config.json beside a model of a hundred tokens, read, written and read again.
#include "rl/formats/config.h"
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

void generation_config(std::string_view bytes) {
  accepts([&] {
    auto read = small();
    rl::add_generation_config(read, bytes);
    auto again = small();
    const auto text = rl::write_generation_config_json(read);
    promise(accepts([&] { rl::add_generation_config(again, text); }), "what is written is read");
    promise(again.eos_token_ids == read.eos_token_ids && again.bos_token_id == read.bos_token_id &&
                again.pad_token_id == read.pad_token_id,
            "generation_config.json reads again as it was");
  });
}

}  // namespace hone::fuzz
