// Preference pairs from JSON lines: snapshot rows of a project, or TRL's prompt/chosen/rejected.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "rl/data/conversation.h"

namespace hone::rl {

struct Pair {
  Ids prompt, chosen, rejected;
  std::int64_t line = 0;  ///< in the file, 1-based
};

struct PairData {
  std::vector<Pair> train, held_out;
  std::int64_t ties = 0;  ///< rows without a better side: nothing strict to learn from
  std::int64_t too_long =
      0;  ///< rows over max_tokens, dropped whole: a cut answer teaches a false end
  std::int64_t several_turns =
      0;  ///< rows with an answer of more than one message: not one response to score
  std::int64_t boundary_merges = 0;
  std::string sha256;  ///< of the file's bytes
  std::int64_t dropped() const { return ties + too_long + several_turns; }
};

/// Reads all rows. A snapshot row is {"prompt": messages, "responses": [{"messages"},
/// {"messages"}], "p", "split"}; p > 0.5 means the first is chosen, p = 0.5 is a tie. A TRL row is
/// {"prompt", "chosen", "rejected"}, texts or message lists. The first row says which kind the file
/// holds. Invalid with the line for a malformed row, an empty response, an id outside the
/// vocabulary; Invalid when more than 5 % are too long, or when no pair is left to train on.
PairData read_pairs(const std::filesystem::path& path, const TextRules& rules,
                    std::int64_t max_tokens);

}  // namespace hone::rl
