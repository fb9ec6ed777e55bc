#include "rl/data/conversation.h"

#include <algorithm>

#include "feedback/base/error.h"

namespace hone::rl {
namespace {

std::string rendered(const TextRules& rules, const std::vector<Message>& messages) {
  if (!rules.chat)
    throw Error(
        Code::Invalid,
        "this base's chat template cannot be used, so messages cannot be turned into its text: " +
            (rules.chat_problem.empty() ? std::string("it has none") : rules.chat_problem) +
            ". Give the prompt as raw text",
        "prompt");
  if (messages.empty()) throw Error(Code::Invalid, "the prompt has no messages", "prompt");
  return rules.chat->render(messages, true, rules.render_options);
}

}  // namespace

TextRules text_rules(const Base& base) {
  const auto bos = base.named_tokens.find("bos_token");
  return {
      .tokenizer = base.tokenizer,
      .chat = base.chat,
      .chat_problem = base.chat_problem,
      .end_ids = base.config.eos_token_ids,
      .bos_id = bos == base.named_tokens.end() ? std::nullopt : base.tokenizer->id_of(bos->second),
      .vocab_size = base.config.vocab_size};
}

Ids prompt_ids(const TextRules& rules, const Prompt& prompt) {
  if (const auto* text = std::get_if<std::string>(&prompt))
    return rules.tokenizer->encode(*text, true);
  return rules.tokenizer->encode(rendered(rules, std::get<std::vector<Message>>(prompt)), false);
}

Ids response_ids(const TextRules& rules, const Prompt& prompt, const std::string& response) {
  auto ids = rules.tokenizer->encode(response, false);
  if (std::holds_alternative<std::string>(prompt)) return ids;
  const auto& ends = rules.end_ids;
  if (ends.empty())
    throw Error(Code::Invalid, "this base names no end token, so a response cannot be ended",
                "eos_token_id");
  if (ids.empty() || std::find(ends.begin(), ends.end(), ids.back()) == ends.end())
    ids.push_back(ends.front());
  return ids;
}

bool merges_at_boundary(const TextRules& rules, const Prompt& prompt, const std::string& response,
                        const Ids& before) {
  const bool raw = std::holds_alternative<std::string>(prompt);
  const std::string text =
      raw ? std::get<std::string>(prompt) : rendered(rules, std::get<std::vector<Message>>(prompt));
  auto apart = before;
  const auto after = rules.tokenizer->encode(response, false);
  apart.insert(apart.end(), after.begin(), after.end());
  return rules.tokenizer->encode(text + response, raw) != apart;
}

}  // namespace hone::rl
