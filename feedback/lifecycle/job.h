// A job's life: its states, the legal moves between them, and who is to blame when it ends badly.
// The database holds the same table (jobs_moves) and refuses every other move; a test compares
// them.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string_view>

namespace hone::feedback {

enum class JobState {
  Created,
  Validating,
  Queued,
  Leased,
  Running,
  Pausing,
  Paused,
  Publishing,
  Cancelling,
  Cancelled,
  Succeeded,
  Failed,
  Dead,
};
inline constexpr int kJobStates = 13;

std::string_view to_string(JobState state);
std::optional<JobState> parse_job_state(std::string_view text);

/// No way out of it.
bool is_final(JobState state);
/// A worker holds it: it has a lease.
bool is_held(JobState state);
bool is_legal_move(JobState from, JobState to);

/// Whose fault an attempt's end was: the machines', the person's who asked, ours.
enum class Blame { Infra, User, Bug };
std::string_view to_string(Blame blame);
std::optional<Blame> parse_blame(std::string_view text);

/// Every type of job event.
std::span<const std::string_view> job_event_types();

}  // namespace hone::feedback
