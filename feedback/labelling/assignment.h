// An assignment: one judge's hold on one comparison, from the first lease to the answer. One table
// says which moves are legal and what each does to the comparison's slot.
#pragma once

#include <optional>
#include <string_view>

namespace hone::feedback {

enum class AssignmentState { Leased, Done, Skipped, Released, Expired };
std::string_view to_string(AssignmentState state);
std::optional<AssignmentState> parse_assignment_state(std::string_view text);

/// What happens to the slot that the assignment holds or held.
enum class Slot {
  Take,        ///< one open slot is taken; without one the move cannot happen
  TakeIfOpen,  ///< taken when one is open; otherwise the answer is surplus
  Keep,
  Give,  ///< given back if it was held
};

/// The slot's fate when an assignment moves; nullopt = not a legal move. `from` nullopt = no
/// assignment yet.
std::optional<Slot> slot_on_move(std::optional<AssignmentState> from, AssignmentState to);

}  // namespace hone::feedback
