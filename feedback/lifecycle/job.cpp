#include "feedback/lifecycle/job.h"

namespace hone::feedback {
namespace {

using enum JobState;

constexpr std::array<std::string_view, kJobStates> kNames{
    "created",    "validating", "queued",    "leased",    "running", "pausing", "paused",
    "publishing", "cancelling", "cancelled", "succeeded", "failed",  "dead"};

struct Move {
  JobState from, to;
};

// One line a state: where it can go, in the order of a life that goes well.
constexpr Move kMoves[] = {
    {Created, Validating}, {Created, Queued},        {Created, Cancelled},
    {Created, Failed},     {Validating, Queued},     {Validating, Cancelled},
    {Validating, Failed},  {Queued, Leased},         {Queued, Cancelled},
    {Queued, Failed},      {Leased, Running},        {Leased, Queued},
    {Leased, Cancelling},  {Leased, Failed},         {Leased, Dead},
    {Running, Publishing}, {Running, Succeeded},     {Running, Pausing},
    {Running, Queued},     {Running, Cancelling},    {Running, Failed},
    {Running, Dead},       {Pausing, Paused},        {Pausing, Queued},
    {Pausing, Cancelling}, {Pausing, Failed},        {Pausing, Dead},
    {Paused, Queued},      {Paused, Cancelled},      {Publishing, Succeeded},
    {Publishing, Queued},  {Publishing, Cancelling}, {Publishing, Failed},
    {Publishing, Dead},    {Cancelling, Cancelled},
};

constexpr std::string_view kEventTypes[] = {
    "created",    "validated", "queued",     "claimed",          "started",
    "progress",   "metrics",   "evaluation", "checkpoint_saved", "checkpoint_adopted",
    "preempted",  "paused",    "resumed",    "lease_lost",       "retrying",
    "cancelling", "cancelled", "publishing", "published",        "succeeded",
    "failed",     "dead",      "warning",    "message"};

constexpr std::array<std::string_view, 3> kBlames{"infra", "user", "bug"};

}  // namespace

std::string_view to_string(JobState state) { return kNames[static_cast<std::size_t>(state)]; }

std::optional<JobState> parse_job_state(std::string_view text) {
  for (std::size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == text) return static_cast<JobState>(i);
  return std::nullopt;
}

bool is_final(JobState state) {
  return state == Cancelled || state == Succeeded || state == Failed || state == Dead;
}

bool is_held(JobState state) {
  return state == Leased || state == Running || state == Pausing || state == Publishing ||
         state == Cancelling;
}

bool is_legal_move(JobState from, JobState to) {
  for (const auto& move : kMoves)
    if (move.from == from && move.to == to) return true;
  return false;
}

std::string_view to_string(Blame blame) { return kBlames[static_cast<std::size_t>(blame)]; }

std::optional<Blame> parse_blame(std::string_view text) {
  for (std::size_t i = 0; i < kBlames.size(); ++i)
    if (kBlames[i] == text) return static_cast<Blame>(i);
  return std::nullopt;
}

std::span<const std::string_view> job_event_types() { return kEventTypes; }

}  // namespace hone::feedback
