// What people and critics said of two answers to one prompt, before tokens: a snapshot's row, or
// TRL's prompt, chosen and rejected with what labels it carries.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "rl/data/rows.h"

namespace hone::rl {

/// One judge's say.
struct JudgmentLabel {
  enum class Verdict { Prefer, Tie, BothBad };
  std::string judge, kind;  ///< pseudonym; person, rule, ...; empty when the row does not say
  Verdict verdict = Verdict::Prefer;
  double strength = 0;         ///< -3..3, positive for the first answer; 0 for an unknown one
  bool first = true;           ///< of a preference: which answer
  std::optional<double> flip;  ///< how often this judge is wrong, as the row gives it
};

struct PreferenceRow {
  Prompt prompt;
  std::string answers[2];  ///< empty when `several_turns`
  std::string fields[2];   ///< where the answers stand in the row, for errors
  double p = 1;            ///< probability that the first is the better one
  bool tie = false;        ///< p is even
  bool both_bad = false;   ///< everyone who judged it says so
  bool held_out = false, several_turns = false;
  std::optional<bool> acceptable[2];
  std::vector<JudgmentLabel> judgments;  ///< may be empty
  bool aggregated = false;  ///< p is what the judgments come to; else it is the row's own
  std::string slice;
  std::int64_t line = 0;
};

/// {"prompt": messages, "responses": [{"messages", "acceptable"?}, {...}], "p", "split",
/// "judgments"?: [{"judge", "kind", "verdict", "strength", "flip"?}]}
PreferenceRow snapshot_row(const RowFields& row);

/// {"prompt", "chosen", "rejected"}, texts or message lists, and optionally: "p" from 0.5 to 1,
/// "strength" (or "margin") from 0 to 3, "judge", "flip", "tie", "both_bad", "chosen_acceptable",
/// "rejected_acceptable", "split", "source", "tags".
PreferenceRow trl_row(const RowFields& row);

}  // namespace hone::rl
