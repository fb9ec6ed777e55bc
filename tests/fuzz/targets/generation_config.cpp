// generation_config.json beside a model of a hundred tokens, read, written and read again.
#include "rl/formats/config.h"
#include "tests/fuzz/targets.h"

namespace hone::fuzz {

void generation_config(std::string_view bytes) {
  accepts([&] {
    auto read = small_model();
    rl::add_generation_config(read, bytes);
    auto again = small_model();
    const auto text = rl::write_generation_config_json(read);
    promise(accepts([&] { rl::add_generation_config(again, text); }), "what is written is read");
    promise(again.eos_token_ids == read.eos_token_ids && again.bos_token_id == read.bos_token_id &&
                again.pad_token_id == read.pad_token_id,
            "generation_config.json reads again as it was");
  });
}

}  // namespace hone::fuzz
