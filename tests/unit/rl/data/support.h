// Files of a few rows, read under the tiny base's tokenizer and template.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "feedback/base/error.h"
#include "rl/data/conversation.h"
#include "tests/unit/rl/train/support.h"

namespace hone::rl::testing {

inline const TextRules& tiny_rules() {
  static const Base base = open_base(fs::path(HONE_SOURCE_DIR) / "tests/golden/rl/formats/tiny");
  static const TextRules out = text_rules(base);
  return out;
}

/// The tiny tokenizer under another template.
inline TextRules rules_with(const std::string& chat_template) {
  auto out = tiny_rules();
  out.chat = ChatTemplate::from_source(chat_template, {{"bos_token", "<|begin_of_text|>"}});
  return out;
}

/// ChatML in the tiny tokenizer's tokens: a line break after each end token, a prompt for answers.
inline const std::string kChat =
    R"({{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content | trim }}<|eot_id|>{{ '\n' }}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %})";
/// The same text, with what the assistant writes marked.
inline const std::string kMarkedChat =
    R"({{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' %}{% generation %}{{ m.content | trim }}<|eot_id|>{{ '\n' }}{% endgeneration %}{% else %}{{ m.content | trim }}<|eot_id|>{{ '\n' }}{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %})";

/// Hands the file's path to `read`.
template <class Read>
auto from_file(const std::string& text, const Read& read) {
  Folder folder;
  std::ofstream(folder.path / "rows.jsonl") << text;
  return read(folder.path / "rows.jsonl");
}

/// What an Error says, or "accepted".
template <class Act>
std::string refusal(const Act& act) {
  try {
    act();
  } catch (const Error& e) {
    return e.detail();
  }
  return "accepted";
}

inline Ids encoded(const std::string& text, bool special = false) {
  return tiny_rules().tokenizer->encode(text, special);
}

}  // namespace hone::rl::testing
