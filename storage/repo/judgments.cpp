#include "storage/repo/judgments.h"

#include <algorithm>

#include "feedback/base/error.h"
#include "storage/postgres/exec.h"

namespace hone::storage {
namespace {

Outcome outcome_of(const std::string& text) {
  if (text == "now") return Outcome::Now;
  return text == "resend" ? Outcome::Resend : Outcome::KeyReused;
}

}  // namespace

Recorded record_judgment(Tx& tx, const NewJudgment& given) {
  std::optional<std::string> reason;
  if (given.answer.skip_reason) reason = std::string(to_string(*given.answer.skip_reason));
  const auto rows =
      exec(tx, R"sql(
      SELECT * FROM record_judgment($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12))sql",
           given.judge, given.assignment, given.impression, given.submit_key, given.body_sha256,
           to_string(given.answer.verdict), given.answer.strength, reason, given.timing.shown_ms,
           given.timing.first_input_ms, given.timing.active_ms, given.timing.away_ms);
  const auto& row = rows[0];
  return {outcome_of(text(row, "outcome")), id<JudgmentTag>(row, "judgment_id"), int64(row, "seq")};
}

Retraction retract_judgment(Tx& tx, const JudgeId& judge, const JudgmentId& judgment,
                            const std::string& submit_key, const std::string& body_sha256) {
  const auto rows = exec(tx, "SELECT * FROM retract_judgment($1, $2, $3, $4)", judge, judgment,
                         submit_key, body_sha256);
  Retraction retraction;
  retraction.outcome = outcome_of(text(rows[0], "outcome"));
  if (retraction.outcome != Outcome::KeyReused)
    retraction.item = get_item(tx, judge, id<AssignmentTag>(rows[0], "assignment_id"));
  return retraction;
}

List<MyJudgment> list_judgments_of(Tx& tx, const JudgeId& judge, const ProjectId& project,
                                   const Page& page) {
  const int limit = std::clamp(page.limit, 1, 200);
  List<MyJudgment> list;
  for (const auto& row : exec(tx, R"sql(
      SELECT j.id, j.assignment_id, j.verdict, j.pressed, rfc3339(j.created_at) AS created,
             EXISTS (SELECT FROM judgments n WHERE n.team_id = j.team_id AND n.judge_id = j.judge_id
                        AND n.comparison_id = j.comparison_id AND n.seq = j.seq + 1
                        AND n.verdict = 'retracted') AS retracted
        FROM judgments j
       WHERE j.team_id = $1 AND j.judge_id = $2 AND j.project_id = $3 AND j.verdict <> 'retracted'
         AND ($4 = '' OR j.id < nullif($4, '')::uuid)
       ORDER BY j.id DESC LIMIT $5)sql",
                              tx.team(), judge, project, page.after, limit + 1)) {
    MyJudgment mine{.id = id<JudgmentTag>(row, "id"),
                    .assignment = id<AssignmentTag>(row, "assignment_id"),
                    .verdict = text(row, "verdict"),
                    .pressed = {},
                    .created_at = text(row, "created"),
                    .retracted = boolean(row, "retracted")};
    if (const auto pressed = maybe_int64(row, "pressed")) mine.pressed = static_cast<int>(*pressed);
    list.data.push_back(std::move(mine));
  }
  list.has_more = static_cast<int>(list.data.size()) > limit;
  if (list.has_more) list.data.pop_back();
  return list;
}

MyStats get_judge_stats(Tx& tx, const JudgeId& judge, const std::optional<ProjectId>& project) {
  const auto rows = exec(tx, R"sql(
      SELECT count(*) FILTER (WHERE created_at >= date_trunc('day', now())) AS today, count(*) AS total,
             percentile_cont(0.5) WITHIN GROUP (ORDER BY active_ms) / 1000.0 AS median_s
        FROM judgments
       WHERE team_id = $1 AND judge_id = $2 AND ($3::uuid IS NULL OR project_id = $3)
         AND verdict NOT IN ('skip', 'retracted'))sql",
                         tx.team(), judge, project);
  return {int64(rows[0], "today"), int64(rows[0], "total"), maybe_double(rows[0], "median_s")};
}

}  // namespace hone::storage
