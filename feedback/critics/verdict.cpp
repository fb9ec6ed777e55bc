#include "feedback/critics/verdict.h"

#include <cassert>
#include <cmath>

namespace hone::feedback {

const char* to_string(CriticChoice choice) {
  switch (choice) {
    case CriticChoice::Prefer:
      return "prefer";
    case CriticChoice::Tie:
      return "tie";
    case CriticChoice::BothBad:
      return "both_bad";
  }
  assert(false);
  return "";
}

CriticVerdict verdict_of_scores(double first, double second, double delta) {
  // Scores are quotients of small sums; without the slack a gap of exactly 0.5 may read 0.4999...
  constexpr double kSlack = 1e-9;
  if (first <= 0 && second <= 0) return {CriticChoice::BothBad, 0};

  const double gap = std::abs(first - second) + kSlack;
  if (gap < delta) return {CriticChoice::Tie, 0};
  const int strength = gap >= 0.5 ? 3 : gap >= 0.2 ? 2 : 1;
  return {CriticChoice::Prefer, first > second ? strength : -strength};
}

}  // namespace hone::feedback
