// Preference pairs from JSON lines, with what is known of the people behind them: for reward models
// and the methods that learn from two answers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "rl/data/conversation.h"

namespace hone::rl {

/// Bounds of a judge's rate of being wrong. Nobody is taken to be right always; at the upper one a
/// judge says nothing (a snapshot's rates are cut there, so equal to it means "or worse") and is
/// left out.
constexpr double kFlipMin = 0.02, kFlipMax = 0.45;

struct Pair {
  Ids prompt, chosen, rejected;
  std::int64_t line = 0;  ///< in the file, 1-based

  double p = 1;         ///< probability that `chosen` is the better answer, at least 0.5
  double strength = 0;  ///< of the preference, 0..3, mean over its judgments; 0 is unknown
  bool tie = false;     ///< neither is better: p is 0.5 and the sides are in the file's order
  double flip = 0;      ///< how often its judges are wrong (their mean), clamped; 0 is unknown
  double weight = 1;    ///< in the loss; all rows of a comparison together weigh 1
  std::vector<std::uint32_t> judges;  ///< who preferred or tied: indices into PairData::judges
  std::optional<bool> chosen_acceptable, rejected_acceptable;
  std::string slice;  ///< the row's "source" and "tags"
};

struct PairOptions {
  enum class Ties { Drop, Keep };
  /// A row per comparison with the probability that its judgments come to, or one per judgment,
  /// each with its own judge and rate of being wrong and p = 1. Rows of TRL's kind, and those that
  /// give no judgments, stay one pair.
  enum class Unit { Comparison, Judgment };

  std::int64_t max_tokens = 1024;
  Ties ties = Ties::Drop;
  Unit unit = Unit::Comparison;
};

struct PairData {
  std::vector<Pair> train, held_out;
  std::vector<std::string> judges;  ///< pseudonyms, in the order of their first judgment
  std::int64_t ties = 0;  ///< rows without a better side, left out: nothing strict to learn from
  std::int64_t both_bad = 0;  ///< rows of two answers that nobody wants: never a pair
  std::int64_t too_long =
      0;  ///< rows over max_tokens, dropped whole: a cut answer teaches a false end
  std::int64_t several_turns =
      0;  ///< rows with an answer of more than one message: not one response to score
  std::int64_t unjudged = 0;  ///< rows all of whose judges are excluded
  std::int64_t judges_excluded = 0;
  std::int64_t boundary_merges = 0;
  std::int64_t duplicates = 0;      ///< rows equal to one before them; kept
  std::int64_t leaked_prompts = 0;  ///< held-out rows whose prompt is a training row's too; kept
  std::int64_t leaked_line = 0;     ///< of the first of them
  std::string sha256;               ///< of the file's bytes
  std::int64_t dropped() const { return ties + both_bad + too_long + several_turns + unjudged; }
};

/// Reads all rows, of a snapshot or of TRL's kind (rl/data/preferences.h); the first row says which
/// kind the file holds. Invalid with the line for a malformed row, an empty response, an id outside
/// the vocabulary; Invalid when more than 5 % are too long, or when no pair is left to train on.
PairData read_pairs(const std::filesystem::path& path, const TextRules& rules,
                    const PairOptions& options);
inline PairData read_pairs(const std::filesystem::path& path, const TextRules& rules,
                           std::int64_t max_tokens) {
  return read_pairs(path, rules, PairOptions{.max_tokens = max_tokens});
}

}  // namespace hone::rl
