// Whether an answer ends in the right result: for sums and other tasks with one short solution.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "rl/reward/regex.h"
#include "rl/reward/reward.h"

namespace hone::rl {

struct ExactAnswerOptions {
  /// Strict: the number after the last "####", as GSM8K writes it. Lenient: the last number
  /// anywhere. Report both: much of a strict gain is learning the form.
  bool strict = true;
  /// Takes the place of both: what its one group holds in its last match.
  std::optional<std::string> pattern = std::nullopt;
};

/// 1 where what is found in the completion equals what is found in the prompt's reference, else 0.
/// A reference is searched like a completion; where that finds nothing, its last number counts, and
/// without one (or under an own pattern) the whole of it.
class ExactAnswerReward : public Reward {
 public:
  /// Invalid for a pattern that does not compile or has other than one group.
  explicit ExactAnswerReward(std::string name, const ExactAnswerOptions& options = {});
  std::string name() const override { return name_; }
  /// Invalid with the line for a prompt without a reference.
  std::vector<Score> score(std::span<const Completion> completions) override;

 private:
  std::string reference_of(const PromptRow& prompt) const;

  std::string name_;
  Regex pattern_;
  bool own_pattern_;
};

/// How results are compared: without white space around them, thousands separators, a currency sign
/// and full stops at the end; numbers by value, so that "$1,234.00." is "1234".
std::string normalised_answer(std::string_view text);

}  // namespace hone::rl
