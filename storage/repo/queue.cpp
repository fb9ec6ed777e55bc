#include "storage/repo/queue.h"

#include <algorithm>

#include "feedback/base/error.h"
#include "storage/postgres/exec.h"

namespace hone::storage {
namespace {

std::vector<std::string> values_of(const std::vector<AssignmentId>& ids) {
  std::vector<std::string> values;
  for (const auto& each : ids) values.push_back(each.value);
  return values;
}

Item item_of(const pqxx::row& row) {
  Item item{.assignment = id<AssignmentTag>(row, "assignment"),
            .impression = id<ImpressionTag>(row, "impression"),
            .lease_until = text(row, "lease_until"),
            .prompt = text(row, "prompt"),
            .left = text(row, "left_messages"),
            .right = text(row, "right_messages"),
            .answer = {}};
  if (const auto verdict = maybe_text(row, "verdict")) {
    LastAnswer answer{
        .verdict = *verdict, .pressed = {}, .skip_reason = maybe_text(row, "skip_reason")};
    if (const auto pressed = maybe_int64(row, "pressed"))
      answer.pressed = static_cast<int>(*pressed);
    item.answer = answer;
  }
  return item;
}

std::vector<Item> items_of(Tx& tx, const JudgeId& judge,
                           const std::vector<std::string>& assignments) {
  std::vector<Item> items;
  for (const auto& row : exec(tx, "SELECT * FROM shown_items($1, $2::uuid[])", judge, assignments))
    items.push_back(item_of(row));
  return items;
}

}  // namespace

JudgeId judge_of_user(Tx& tx, const UserId& user) {
  constexpr const char* kFind = "SELECT id FROM judges WHERE team_id = $1 AND user_id = $2";
  auto rows = exec(tx, kFind, tx.team(), user);
  if (rows.empty()) {
    exec(tx, R"sql(INSERT INTO judges (kind, user_id) VALUES ('person', $1)
                   ON CONFLICT ON CONSTRAINT judges_one_per_person DO NOTHING)sql",
         user);
    rows = exec(tx, kFind, tx.team(), user);
  }
  return id<JudgeTag>(rows[0], "id");
}

HandedOut hand_out(Tx& tx, const Ask& ask) {
  HandedOut out;
  std::vector<std::string> assignments;
  for (const auto& row : exec(tx, "SELECT * FROM hand_out($1, $2, $3, $4::uuid[])", ask.project,
                              ask.judge, std::clamp(ask.n, 1, 3), values_of(ask.holding))) {
    if (const auto assignment = maybe_text(row, "assignment_id")) {
      assignments.push_back(*assignment);
    } else {
      out.reason = text(row, "reason");
      out.retry_after_s = static_cast<int>(int64(row, "retry_after_s"));
    }
  }
  if (!assignments.empty()) out.items = items_of(tx, ask.judge, assignments);
  return out;
}

std::optional<std::string> renew_assignments(Tx& tx, const JudgeId& judge,
                                             const std::vector<AssignmentId>& assignments) {
  const auto rows = exec(tx, R"sql(
      WITH renewed AS (
        UPDATE assignments a
           SET lease_until = least(clock_timestamp() + make_interval(mins => p.lease_minutes),
                                   a.leased_at + interval '4 hours')
          FROM projects p
         WHERE a.team_id = $1 AND a.judge_id = $2 AND a.id = ANY ($3::uuid[]) AND a.state = 'leased'
           AND a.lease_until > clock_timestamp() AND p.team_id = a.team_id AND p.id = a.project_id
        RETURNING a.lease_until)
      SELECT rfc3339(min(lease_until)) AS lease_until FROM renewed)sql",
                         tx.team(), judge, values_of(assignments));
  return maybe_text(rows[0], "lease_until");
}

void release_assignment(Tx& tx, const JudgeId& judge, const AssignmentId& assignment) {
  exec(tx, "SELECT release_assignment($1, $2)", judge, assignment);
}

Item get_item(Tx& tx, const JudgeId& judge, const AssignmentId& assignment) {
  auto items = items_of(tx, judge, {assignment.value});
  if (items.empty()) throw Error(Code::NotFound, "no such assignment");
  return std::move(items.front());
}

int expire_assignments(Tx& tx, int limit) {
  return static_cast<int>(int64(exec(tx, "SELECT expire_all_leases($1) AS n", limit)[0], "n"));
}

Progress get_progress(Tx& tx, const ProjectId& project, const std::optional<JudgeId>& judge) {
  const auto rows = exec(tx, R"sql(
      SELECT w.open, a.held, a.done, w.open + a.held + a.done AS total, m.today, m.total AS mine,
             h.last_hour
        FROM (SELECT coalesce(sum(open_slots), 0) AS open FROM work_items
               WHERE team_id = $1 AND project_id = $2 AND state = 'open') w,
             (SELECT count(*) FILTER (WHERE state = 'leased') AS held,
                     count(*) FILTER (WHERE state = 'done') AS done
                FROM assignments WHERE team_id = $1 AND project_id = $2 AND holds_slot) a,
             (SELECT count(*) FILTER (WHERE created_at >= date_trunc('day', now())) AS today, count(*) AS total
                FROM judgments WHERE team_id = $1 AND project_id = $2 AND judge_id = $3 AND seq = 1
                 AND verdict NOT IN ('skip', 'retracted')) m,
             (SELECT count(*) AS last_hour FROM judgments
               WHERE team_id = $1 AND project_id = $2 AND judge_kind = 'person'
                 AND created_at > now() - interval '1 hour' AND verdict NOT IN ('skip', 'retracted')) h)sql",
                         tx.team(), project, judge);
  const auto& row = rows[0];
  return {.open = int64(row, "open"),
          .held = int64(row, "held"),
          .done = int64(row, "done"),
          .total = int64(row, "total"),
          .mine_today = int64(row, "today"),
          .mine_total = int64(row, "mine"),
          .per_hour = static_cast<double>(int64(row, "last_hour"))};
}

}  // namespace hone::storage
