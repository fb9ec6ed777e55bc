// Judgments: the facts everything else is computed from. Rows are appended and never changed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "feedback/labelling/answer.h"
#include "storage/postgres/tx.h"
#include "storage/repo/queue.h"

namespace hone::storage {

/// What became of a write that carries a key.
enum class Outcome {
  Now,        ///< written by this call
  Resend,     ///< an earlier call wrote it: the first id, nothing changed
  KeyReused,  ///< the key was spent on another body
};

struct Timing {
  std::optional<std::int64_t> shown_ms{}, first_input_ms{}, active_ms{}, away_ms{};
};

struct NewJudgment {
  AssignmentId assignment;
  ImpressionId impression;
  JudgeId judge;
  std::string submit_key;   ///< 16..128 characters
  std::string body_sha256;  ///< of the request's body
  feedback::Answer answer;  ///< as pressed; checked by feedback::check_answer
  Timing timing;
};

struct Recorded {
  Outcome outcome = Outcome::Now;
  JudgmentId id;
  std::int64_t seq = 0;
};

/// Appends one verdict to a judge's history of a comparison. A resend of key and body changes
/// nothing and gets the first id, even when both copies run at once. A late answer takes its slot
/// back when it is still open and is kept as surplus when not. A skip gives the slot back.
/// NotFound when the assignment is not this judge's, or the impression not the assignment's.
Recorded record_judgment(Tx& tx, const NewJudgment& given);

struct Retraction {
  Outcome outcome = Outcome::Now;
  Item item;  ///< the same sides again, with the answer that was taken back
};
/// Undo: appends `retracted` after the given judgment and opens its assignment again.
/// NotFound when it is not this judge's; Conflict when it is not the head of its history.
Retraction retract_judgment(Tx& tx, const JudgeId& judge, const JudgmentId& judgment,
                            const std::string& submit_key, const std::string& body_sha256);

struct MyJudgment {
  JudgmentId id;
  AssignmentId assignment;
  std::string verdict;
  std::optional<int> pressed;  ///< as displayed
  std::string created_at;
  bool retracted = false;
};
/// The judge's own answers, newest first (retractions show as `retracted` on what they took back).
List<MyJudgment> list_judgments_of(Tx& tx, const JudgeId& judge, const ProjectId& project,
                                   const Page& page);

struct MyStats {
  std::int64_t today = 0, total = 0;
  std::optional<double> median_s;  ///< active time of an answer
};
MyStats get_judge_stats(Tx& tx, const JudgeId& judge, const std::optional<ProjectId>& project);

}  // namespace hone::storage
