// An answer to "which of these two is better", in the two frames it lives in: as pressed (left to
// right on the screen) and canonical (slot 0 against slot 1, whatever side they stood on).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hone::feedback {

/// What an answer says. Retracted is never given, only appended by an undo.
enum class Verdict { Prefer, Tie, BothBad, Skip, Retracted };
std::string_view to_string(Verdict verdict);
std::optional<Verdict> parse_verdict(std::string_view text);

enum class SkipReason { CannotJudge, Unclear, Offensive, WrongLanguage, TooLong, Other };
std::string_view to_string(SkipReason reason);
std::optional<SkipReason> parse_skip_reason(std::string_view text);

/// As given. `strength` is in the frame its holder names: in an answer from the page it is as
/// pressed, +3 = the left one much better ... -3 = the right one.
struct Answer {
  Verdict verdict = Verdict::Tie;
  std::optional<int> strength;
  std::optional<SkipReason> skip_reason;
};

/// The answer with what its verdict implies filled in (a tie has strength 0). Throws Invalid,
/// naming the field, when the parts contradict each other: prefer needs a strength from -3 to 3
/// that is not 0, tie may say 0, the others have none; only a skip has a reason, and it needs one.
Answer check_answer(Answer given);

/// Which slot stands on the left.
enum class Left { Slot0 = 0, Slot1 = 1 };

/// Pressed to canonical, and back: the same turn, since turning twice changes nothing.
int turn(int strength, Left left);

}  // namespace hone::feedback
