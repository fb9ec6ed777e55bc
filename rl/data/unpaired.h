// Single answers marked good or bad from JSON lines, for methods that need no pairs (KTO).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "rl/data/rows.h"

namespace hone::rl {

struct UnpairedRow {
  Ids prompt, response;
  bool desirable = false;
  double weight = 1;
  std::string slice;
  std::int64_t line = 0;  ///< in the file, 1-based; a row of two answers gives two
};

struct UnpairedData {
  std::vector<UnpairedRow> train, held_out;
  std::int64_t ties = 0;      ///< rows of two answers that say of neither whether it is good
  std::int64_t both_bad = 0;  ///< rows that gave two bad answers
  std::int64_t too_long = 0;  ///< answers over max_tokens with their prompt, dropped whole
  std::int64_t several_turns = 0;
  std::int64_t boundary_merges = 0;
  std::int64_t duplicates = 0;      ///< answers equal to one before them, mark and all; kept
  std::int64_t leaked_prompts = 0;  ///< held-out answers whose prompt is trained on too; kept
  std::int64_t leaked_line = 0;     ///< of the first of them
  std::string sha256;
  std::int64_t dropped() const { return ties + too_long + several_turns; }
};

/// Reads TRL's {"prompt", "completion", "label": true or false, "weight"?, "split"?}, or rows of
/// two answers (rl/data/preferences.h): the better one is good, the other bad, unless the row says
/// of an answer whether it is acceptable; of both_bad rows both are bad. The first row says which
/// kind the file holds. Invalid as for pairs.
UnpairedData read_unpaired(const std::filesystem::path& path, const TextRules& rules,
                           const ReadOptions& options);

}  // namespace hone::rl
