#include "feedback/labelling/answer.h"

#include <gtest/gtest.h>

#include "feedback/base/error.h"
#include "feedback/labelling/assignment.h"

namespace hone::feedback {
namespace {

std::string refused_at(const Answer& answer) {
  try {
    check_answer(answer);
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::Invalid);
    return e.pointer();
  }
  return "accepted";
}

TEST(Answer, NeedsAStrengthThatFitsItsVerdict) {
  EXPECT_EQ(check_answer({Verdict::Prefer, 3, {}}).strength, 3);
  EXPECT_EQ(check_answer({Verdict::Prefer, -1, {}}).strength, -1);
  EXPECT_EQ(check_answer({Verdict::Tie, {}, {}}).strength, 0) << "a tie says it by itself";
  EXPECT_EQ(check_answer({Verdict::BothBad, {}, {}}).strength, std::nullopt);
  EXPECT_EQ(refused_at({Verdict::Prefer, {}, {}}), "/strength");
  EXPECT_EQ(refused_at({Verdict::Prefer, 0, {}}), "/strength");
  EXPECT_EQ(refused_at({Verdict::Prefer, 4, {}}), "/strength");
  EXPECT_EQ(refused_at({Verdict::Prefer, -4, {}}), "/strength");
  EXPECT_EQ(refused_at({Verdict::Tie, 1, {}}), "/strength");
  EXPECT_EQ(refused_at({Verdict::BothBad, 0, {}}), "/strength");
  EXPECT_EQ(refused_at({Verdict::Skip, 1, SkipReason::Other}), "/strength");
}

TEST(Answer, GivesAReasonExactlyWhenItSkips) {
  EXPECT_EQ(check_answer({Verdict::Skip, {}, SkipReason::TooLong}).skip_reason,
            SkipReason::TooLong);
  EXPECT_EQ(refused_at({Verdict::Skip, {}, {}}), "/skip_reason");
  EXPECT_EQ(refused_at({Verdict::Tie, 0, SkipReason::Other}), "/skip_reason");
}

TEST(Answer, IsNeverRetractedByGivingOne) {
  EXPECT_EQ(refused_at({Verdict::Retracted, {}, {}}), "/verdict");
}

TEST(Answer, TurnedTwiceIsItself) {
  // Slot 1 on the left, the left one much better (+3): slot 0 is much worse, -3.
  EXPECT_EQ(turn(3, Left::Slot1), -3);
  EXPECT_EQ(turn(3, Left::Slot0), 3);
  for (int strength = -3; strength <= 3; ++strength)
    for (const auto left : {Left::Slot0, Left::Slot1})
      EXPECT_EQ(turn(turn(strength, left), left), strength);
}

TEST(Verdict, NamesAreReadBackAsWhatTheyName) {
  for (const auto verdict :
       {Verdict::Prefer, Verdict::Tie, Verdict::BothBad, Verdict::Skip, Verdict::Retracted})
    EXPECT_EQ(parse_verdict(to_string(verdict)), verdict);
  for (const auto reason : {SkipReason::CannotJudge, SkipReason::Unclear, SkipReason::Offensive,
                            SkipReason::WrongLanguage, SkipReason::TooLong, SkipReason::Other})
    EXPECT_EQ(parse_skip_reason(to_string(reason)), reason);
  EXPECT_FALSE(parse_verdict("better"));
  EXPECT_FALSE(parse_skip_reason(""));
}

TEST(Assignment, TakesOneSlotAndGivesItBackAtMostOnce) {
  using enum AssignmentState;
  EXPECT_EQ(slot_on_move(std::nullopt, Leased), Slot::Take);
  EXPECT_EQ(slot_on_move(std::nullopt, Done), std::nullopt)
      << "nobody answers what was never shown";
  EXPECT_EQ(slot_on_move(Leased, Done), Slot::Keep);
  EXPECT_EQ(slot_on_move(Leased, Expired), Slot::Give);
  EXPECT_EQ(slot_on_move(Leased, Released), Slot::Give);
  EXPECT_EQ(slot_on_move(Expired, Released), std::nullopt);
  EXPECT_EQ(slot_on_move(Released, Expired), std::nullopt);
  EXPECT_EQ(slot_on_move(Expired, Done), Slot::TakeIfOpen)
      << "a late answer is kept, surplus or not";
  EXPECT_EQ(slot_on_move(Expired, Leased), Slot::Take);
  EXPECT_EQ(slot_on_move(Done, Leased), Slot::Keep) << "undo";
  EXPECT_EQ(slot_on_move(Skipped, Leased), Slot::TakeIfOpen) << "undo of a skip";
  EXPECT_EQ(slot_on_move(Leased, Leased), std::nullopt);
}

TEST(Assignment, StateNamesAreReadBack) {
  using enum AssignmentState;
  for (const auto state : {Leased, Done, Skipped, Released, Expired})
    EXPECT_EQ(parse_assignment_state(to_string(state)), state);
  EXPECT_FALSE(parse_assignment_state("open"));
}

}  // namespace
}  // namespace hone::feedback
