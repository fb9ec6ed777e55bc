// Texts to imitate from JSON lines, as tokens and a mask: for supervised fine-tuning.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "rl/data/rows.h"

namespace hone::rl {

struct DemonstrationRow {
  Ids ids;
  std::vector<std::uint8_t> mask;  ///< 1: the token is learnt; as long as ids, the first never is
  std::string slice;
  std::int64_t line = 0;  ///< in the file, 1-based
};

struct DemonstrationData {
  std::vector<DemonstrationRow> train, held_out;
  std::int64_t cut = 0;       ///< rows cut at max_tokens, on the right; no end token is put there
  std::int64_t too_long = 0;  ///< rows left out: nothing to learn stands within max_tokens
  std::int64_t undesirable =
      0;  ///< rows left out whose answer is not one to imitate: ties, bad ones
  std::int64_t several_turns = 0;    ///< rows of two answers, with one of more than one message
  std::int64_t boundary_merges = 0;  ///< rows of which the joined text gives other tokens
  std::int64_t duplicates = 0;       ///< rows equal to one before them; kept
  std::int64_t leaked_prompts = 0;   ///< held-out rows whose prompt is trained on too; kept
  std::int64_t leaked_line = 0;      ///< of the first of them
  std::string sha256;
  std::int64_t dropped() const { return too_long + undesirable + several_turns; }
};

/// Reads one of
///   {"messages"}                      every answer of the assistant is learnt (rl/data/turns.h)
///   {"prompt", "completion"}          the completion; with "label": false it is left out
///   {"text"}                          raw text: all tokens after the first, no end token added
///   rows of two answers               the chosen one (rl/data/preferences.h)
/// each with "split", "source" and "tags" if wanted. The first row says which kind the file holds.
/// Invalid with the line for a malformed row, and when no row is left to train on.
DemonstrationData read_demonstrations(const std::filesystem::path& path, const TextRules& rules,
                                      const ReadOptions& options);

}  // namespace hone::rl
