// Handing out comparisons: who sees what next, on which side, for how long.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "storage/postgres/tx.h"

namespace hone::storage {

/// The judge of a person, made on first use.
JudgeId judge_of_user(Tx& tx, const UserId& user);

/// The last answer of an assignment that an undo opened again.
struct LastAnswer {
  std::string verdict;
  std::optional<int> pressed;  ///< as displayed: > 0 = the left one better
  std::optional<std::string> skip_reason;
};

/// One showing of one comparison. Sides are already turned: `left` is what stands on the left.
struct Item {
  AssignmentId assignment;
  ImpressionId impression;
  std::string lease_until;
  JsonText prompt, left, right;  ///< arrays of {"role","content"}
  std::optional<LastAnswer> answer;
};

struct Ask {
  ProjectId project{};
  JudgeId judge{};
  int n = 1;                            ///< 1..3
  std::vector<AssignmentId> holding{};  ///< what the asking page shows already; not given again
};

struct HandedOut {
  std::vector<Item> items;
  std::string reason;     ///< empty, or why there are fewer than asked: none_left, paused, cap
  int retry_after_s = 0;  ///< when asking again may help
};

/// Leases up to n comparisons to the judge. First come the judge's own live leases that are not
/// in `holding` (a reloaded page gets the same items, same sides, same impression), then returned
/// items, then new ones. A judge holds at most 3 leases in a project. One judge's calls run one
/// after another; different judges never wait for each other.
/// So that asking twice cannot take twice, a page either sends what it holds or drops items whose
/// assignment it already has.
HandedOut hand_out(Tx& tx, const Ask& ask);

/// Prolongs the judge's own live leases among `assignments`, not beyond 4 hours after the showing.
/// The earliest new end; nullopt when none was live any more.
std::optional<std::string> renew_assignments(Tx& tx, const JudgeId& judge,
                                             const std::vector<AssignmentId>& assignments);
/// Gives the slot back at once. NotFound when the assignment is not this judge's; nothing happens
/// when it is not leased any more.
void release_assignment(Tx& tx, const JudgeId& judge, const AssignmentId& assignment);
/// The item of one assignment of the judge as it is shown now. NotFound when it is not theirs.
Item get_item(Tx& tx, const JudgeId& judge, const AssignmentId& assignment);

/// Takes back leases that ran out, of all teams, up to `limit`; needs no team. The hand-out does it
/// for its own project by itself; this is for projects that nobody asks. Returns how many.
int expire_assignments(Tx& tx, int limit = 500);

struct Progress {
  std::int64_t open = 0;   ///< slots nobody holds
  std::int64_t held = 0;   ///< leased right now
  std::int64_t done = 0;   ///< answered slots
  std::int64_t total = 0;  ///< open + held + done
  std::int64_t mine_today = 0, mine_total = 0;
  double per_hour = 0;  ///< answers of all people in the last hour
};
Progress get_progress(Tx& tx, const ProjectId& project, const std::optional<JudgeId>& judge);

}  // namespace hone::storage
