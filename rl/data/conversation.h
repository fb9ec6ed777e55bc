// A prompt and a response as the model's tokens: the one rule for training, scoring and sampling.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "rl/chat/chat_template.h"
#include "rl/formats/base.h"
#include "rl/model/score.h"
#include "rl/tokenizer/tokenizer.h"

namespace hone::rl {

/// Raw text, or a conversation that goes through the base's chat template.
using Prompt = std::variant<std::string, std::vector<Message>>;

/// The day that templates which ask for one are told: the one that Llama 3's own fall back to where
/// there is no clock. Fixed, so that a conversation is the same text whenever it is trained on or
/// sampled from.
constexpr RenderTime kTemplateDay{.year = 2024, .month = 7, .day = 26};

/// How one base turns conversations into tokens.
struct TextRules {
  std::shared_ptr<const Tokenizer> tokenizer;
  std::shared_ptr<const ChatTemplate>
      chat;  ///< may be null: then messages are refused, with `chat_problem`
  std::string chat_problem;
  std::vector<std::int64_t> end_ids;  ///< the first ends a labelled response
  RenderOptions render_options = {.now = kTemplateDay};
  std::optional<std::int64_t> bos_id = std::nullopt;  ///< the token that texts begin with
  std::int64_t vocab_size = 0;                        ///< of the model; 0 when there is none
};

TextRules text_rules(const Base& base);

/// Messages: template, default system turn and generation prompt, no special tokens added to the
/// rendered text. Text: raw, with what the tokenizer's own post-processor adds.
Ids prompt_ids(const TextRules& rules, const Prompt& prompt);

/// The response's tokens: its own, tokenised apart from the prompt as sampling does it. After
/// messages one end token follows unless the last token already is one. After raw text none.
Ids response_ids(const TextRules& rules, const Prompt& prompt, const std::string& response);

/// True when tokenising prompt and response as one text would give other tokens.
bool merges_at_boundary(const TextRules& rules, const Prompt& prompt, const std::string& response,
                        const Ids& prompt_ids);

}  // namespace hone::rl
