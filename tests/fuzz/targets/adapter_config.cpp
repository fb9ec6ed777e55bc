// adapter_config.json of PEFT, read, written and read again.
#include "rl/formats/peft.h"
#include "tests/fuzz/targets.h"

namespace hone::fuzz {

void adapter_config(std::string_view bytes) {
  accepts([&] {
    const auto read = rl::read_adapter_config(bytes);
    accepts([&] { rl::check_lora(small_model(), read, "adapter"); });
    const auto text = rl::write_adapter_config(read, read.base_model);
    rl::LoraFile again;
    promise(accepts([&] { again = rl::read_adapter_config(text); }),
            "adapter_config.json that was written is read");
    promise(again.rank == read.rank && again.alpha == read.alpha &&
                again.rank_stabilised == read.rank_stabilised && again.targets == read.targets &&
                again.base_model == read.base_model && again.output == read.output,
            "adapter_config.json reads again as it was");
  });
}

}  // namespace hone::fuzz
