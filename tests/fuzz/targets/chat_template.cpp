// A chat template, parsed and rendered on a fixed conversation.
#include "rl/chat/chat_template.h"

#include "rl/tokenizer/utf8.h"
#include "tests/fuzz/targets.h"

namespace hone::fuzz {

void chat_template(std::string_view bytes) {
  static const std::vector<rl::Message> talk = {{"system", "Be brief."},
                                                {"user", " Hi\n{{ x }} na\u00efve "},
                                                {"assistant", "<think>\nhm\n</think>\n\nHello."},
                                                {"user", "2 + 2?"}};
  accepts([&] {
    const auto chat =
        rl::ChatTemplate::from_source(bytes, {{"bos_token", "<s>"}, {"eos_token", "</s>"}});
    for (const auto& messages : {talk, std::vector<rl::Message>{talk[1]}})
      for (const bool prompt : {false, true})
        accepts([&] {
          promise(rl::valid_utf8(chat->render(messages, prompt)), "rendered text is UTF-8");
        });
  });
}

}  // namespace hone::fuzz
