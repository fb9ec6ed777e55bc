// Prompts to answer from JSON lines, for methods that learn from what the model samples itself.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "rl/data/rows.h"

namespace hone::rl {

struct PromptRow {
  std::string id;  ///< the row's "id" or "comparison", else its line's number
  Ids prompt;
  Prompt source;       ///< what the tokens were made of, for those who judge the answer
  std::string answer;  ///< the reference, for verifiers; may be empty
  std::string slice;
  std::int64_t line = 0;  ///< in the file, 1-based
  bool held_out = false;
};

struct PromptData {
  std::vector<PromptRow> train, held_out;
  std::int64_t too_long = 0;        ///< prompts of max_tokens or more, left out
  std::int64_t repeated = 0;        ///< rows of two answers with a prompt met before, left out
  std::int64_t duplicates = 0;      ///< other rows equal to one before them; kept
  std::int64_t leaked_prompts = 0;  ///< held-out rows whose prompt is trained on too; kept
  std::int64_t leaked_line = 0;     ///< of the first of them
  std::string sha256;
  std::int64_t dropped() const { return too_long + repeated; }
};

/// Reads {"prompt" | "messages" | "question", "answer"?, "id"?, "split"?, "source"?, "tags"?}, or
/// rows of two responses, of which each prompt is taken once in its split, with its "answer" where
/// the row has one. A question becomes one
/// message of the user where the base has a chat template, and is raw text else. The first row says
/// which kind the file holds. `max_tokens` is room for the prompt and at least one token. Invalid
/// with the line for a malformed row; Invalid when more than 5 % are too long, or when no prompt is
/// left to train on.
PromptData read_prompt_rows(const std::filesystem::path& path, const TextRules& rules,
                            const ReadOptions& options);

}  // namespace hone::rl
