#include "feedback/labelling/assignment.h"

#include <array>

namespace hone::feedback {
namespace {

constexpr std::array<std::string_view, 5> kNames{"leased", "done", "skipped", "released",
                                                 "expired"};

}  // namespace

std::string_view to_string(AssignmentState state) {
  return kNames[static_cast<std::size_t>(state)];
}

std::optional<AssignmentState> parse_assignment_state(std::string_view text) {
  for (std::size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == text) return static_cast<AssignmentState>(i);
  return std::nullopt;
}

std::optional<Slot> slot_on_move(std::optional<AssignmentState> from, AssignmentState to) {
  using enum AssignmentState;
  if (!from) return to == Leased ? std::optional(Slot::Take) : std::nullopt;
  switch (to) {
    case Leased:  // handed out again, or opened again by an undo
      if (*from == Done || *from == Skipped) return *from == Done ? Slot::Keep : Slot::TakeIfOpen;
      return *from == Leased ? std::nullopt : std::optional(Slot::Take);
    case Done:  // an edit, an answer in time, or one that comes after its lease
      return *from == Done || *from == Leased ? Slot::Keep : Slot::TakeIfOpen;
    case Skipped:
      return Slot::Give;
    case Released:
    case Expired:
      return *from == Leased ? std::optional(Slot::Give) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace hone::feedback
