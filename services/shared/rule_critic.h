// The rule critic: a small declarative list of what a good answer looks like. hone-worker judges
// comparisons by it, hone-run measures win rates by it, hone-server checks a spec before it is
// kept. The scores become verdicts in feedback/critics.
#pragma once

#include <concepts>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "feedback/critics/verdict.h"

namespace hone::shared {

struct RuleVerdict {
  feedback::CriticChoice choice = feedback::CriticChoice::Tie;
  int strength = 0;    ///< -3..3, positive when `a` is better
  double score_a = 0;  ///< in [0,1]
  double score_b = 0;
};

/// One version of a rule critic. Immutable and cheap to copy; safe to use from several threads.
///
/// Spec: {"rules": [rule, ...], "delta": 0.001}. A rule is {"type", its fields, "weight": 1}:
///   max_words min_words max_chars min_chars max_sentences   "value"; graded (feedback/critics)
///   contains not_contains starts_with ends_with             "text", "ignore_case"
///   matches not_matches                                     "pattern" (PCRE2), "ignore_case"
///   json                                                    the whole answer is one JSON value
///   script                                                  "script" (Unicode's name), "min_share"
/// An answer is looked at without the white space around it. Its score is the weighted mean of what
/// each rule gives, 0..1.
class RuleCritic {
 public:
  /// Throws Invalid with the JSON pointer of what is wrong: an unknown key or type, a bound, a
  /// pattern that does not compile. `at` is the pointer of the spec itself, for longer documents.
  static RuleCritic parse(const nlohmann::json& spec, std::string_view at = "");
  /// The same from the text of a spec, as it is stored.
  static RuleCritic parse_text(std::string_view json_text);
  /// A text is never the spec itself: without this it would silently become a JSON string.
  template <std::same_as<std::string> Text>
  static RuleCritic parse(const Text& json_text) {
    return parse_text(json_text);
  }

  /// The score of one answer. Throws Invalid naming the rule when a pattern needs more than its
  /// bounded work on this text: no verdict is better than an invented one.
  double score(std::string_view answer) const;

  /// Both answers' scores and what follows from them. No rule looks at the prompt so far; callers
  /// pass it so that one which does changes none of them.
  RuleVerdict compare(std::string_view prompt_text, std::string_view a, std::string_view b) const;

  /// The spec with every default written out and keys in order: equal specs give equal bytes.
  const std::string& canonical() const;

 private:
  struct Compiled;
  explicit RuleCritic(std::shared_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}
  std::shared_ptr<const Compiled> compiled_;  // shared: a copy judges by the same patterns
};

}  // namespace hone::shared
