// What a critic says of two answers, once each has a score: the same few lines for a rule critic
// in the worker and for the win rate in hone-run.
#pragma once

namespace hone::feedback {

enum class CriticChoice {
  Prefer,   ///< one is better; the sign of the strength says which
  Tie,      ///< no difference that counts
  BothBad,  ///< neither satisfies anything that was asked
};

/// The word stored as a judgment's verdict: "prefer", "tie", "both_bad".
const char* to_string(CriticChoice choice);

struct CriticVerdict {
  CriticChoice choice = CriticChoice::Tie;
  /// -3..3, positive when the first answer is better; 0 unless `choice` is Prefer.
  int strength = 0;
};

/// Scores in [0,1] to a verdict: both 0 is both_bad; a difference of at least `delta` prefers the
/// higher one, with strength 3 from a gap of 0.5, 2 from 0.2, else 1; anything less is a tie.
/// Swapping the answers flips the sign and changes nothing else.
CriticVerdict verdict_of_scores(double first, double second, double delta);

}  // namespace hone::feedback
