// config.json: what is read is written so that it reads the same again.
#include "rl/formats/config.h"

#include <tuple>

#include "tests/fuzz/targets.h"

namespace hone::fuzz {
namespace {

bool same(const rl::ModelConfig& a, const rl::ModelConfig& b) {
  const auto sizes = [](const rl::ModelConfig& c) {
    return std::tuple(c.model_type, c.output, c.vocab_size, c.hidden_size, c.intermediate_size,
                      c.num_hidden_layers, c.num_attention_heads, c.num_key_value_heads, c.head_dim,
                      c.max_position_embeddings);
  };
  const auto others = [](const rl::ModelConfig& c) {
    return std::tuple(c.rope_theta, c.rms_norm_eps, c.tie_word_embeddings, c.attention_bias,
                      c.qkv_bias, c.mlp_bias, c.qk_norm, c.windows, c.unturned, c.bos_token_id,
                      c.pad_token_id, c.eos_token_ids);
  };
  return sizes(a) == sizes(b) && others(a) == others(b) && a.rope_scaling == b.rope_scaling;
}

}  // namespace

void config(std::string_view bytes) {
  accepts([&] {
    const auto read = rl::read_config_json(bytes);
    rl::check_config(read);
    for (const auto base : {std::string_view(), bytes}) {
      const auto written = rl::write_config_json(read, "float32", base);
      promise(accepts([&] {
                promise(same(rl::read_config_json(written), read), "config.json reads as it was");
              }),
              "config.json that was written is read");
    }
    if (read.num_hidden_layers <= 64)
      promise(rl::parameters(read) > 0, "the number of parameters does not overflow");
  });
}

}  // namespace hone::fuzz
