#include "storage/repo/snapshots.h"

#include <algorithm>

#include "feedback/base/error.h"
#include "storage/postgres/exec.h"

namespace hone::storage {
namespace {

constexpr std::size_t kRowsAtOnce = 5000;

constexpr const char* kSnapshots = R"sql(
    SELECT *, rfc3339(created_at) AS created FROM snapshots
     WHERE team_id = $1 AND ($2::uuid IS NULL OR project_id = $2) AND ($3::uuid IS NULL OR id = $3)
       AND ($4 = '' OR id < nullif($4, '')::uuid)
       AND (NOT $6 OR coalesce(manifest->>'contents', 'judgments') = 'judgments')
     ORDER BY id DESC LIMIT $5)sql";

Snapshot snapshot_of(const pqxx::row& row) {
  Snapshot snapshot;
  snapshot.id = id<SnapshotTag>(row, "id");
  snapshot.project = id<ProjectTag>(row, "project_id");
  snapshot.number = int64(row, "number");
  snapshot.name = text(row, "name");
  snapshot.root = text(row, "root");
  snapshot.manifest_sha256 = text(row, "manifest_sha256");
  snapshot.artifact_sha256 = text(row, "artifact_sha256");
  snapshot.artifact_bytes = int64(row, "artifact_bytes");
  snapshot.rows = text(row, "rows");
  snapshot.judges = text(row, "judges");
  snapshot.statistics = text(row, "statistics");
  snapshot.aggregation = text(row, "aggregation");
  snapshot.manifest = text(row, "manifest");
  snapshot.created_at = text(row, "created");
  return snapshot;
}

void insert_leaves(Tx& tx, const SnapshotId& snapshot, const std::vector<SnapshotRow>& leaves) {
  for (std::size_t from = 0; from < leaves.size(); from += kRowsAtOnce) {
    std::vector<std::string> ordinals, judgments, hashes, splits;
    for (std::size_t i = from; i < std::min(from + kRowsAtOnce, leaves.size()); ++i) {
      ordinals.push_back(std::to_string(leaves[i].ordinal));
      judgments.push_back(leaves[i].judgment.value);
      hashes.push_back(leaves[i].leaf_sha256);
      splits.push_back(leaves[i].split);
    }
    exec(tx, R"sql(
        INSERT INTO snapshot_rows (snapshot_id, ordinal, judgment_id, leaf_sha256, split)
        SELECT $1, * FROM unnest($2::integer[], $3::uuid[], $4::text[], $5::text[]))sql",
         snapshot, ordinals, judgments, hashes, splits);
  }
}

}  // namespace

std::vector<Head> list_heads(Tx& tx, const ProjectId& project,
                             const std::vector<std::string>& kinds) {
  tx.allow_long_statements();
  std::vector<Head> heads;
  for (const auto& row : exec(tx, R"sql(
      SELECT j.id, j.comparison_id, j.judge_id, j.judge_kind, j.verdict, j.strength, j.left_slot, j.surplus,
             rfc3339(j.created_at) AS created
        FROM judgments j
       WHERE j.team_id = $1 AND j.project_id = $2 AND j.judge_kind = ANY ($3::text[])
         AND j.verdict NOT IN ('skip', 'retracted')
         AND NOT EXISTS (SELECT FROM judgments n WHERE n.team_id = j.team_id AND n.judge_id = j.judge_id
                            AND n.comparison_id = j.comparison_id AND n.seq = j.seq + 1)
       ORDER BY j.id)sql",
                              tx.team(), project, kinds)) {
    Head head{.judgment = id<JudgmentTag>(row, "id"),
              .comparison = id<ComparisonTag>(row, "comparison_id"),
              .judge = id<JudgeTag>(row, "judge_id"),
              .kind = text(row, "judge_kind"),
              .verdict = text(row, "verdict"),
              .strength = {},
              .left = maybe_text(row, "left_slot"),
              .surplus = boolean(row, "surplus"),
              .created_at = text(row, "created")};
    if (const auto strength = maybe_int64(row, "strength"))
      head.strength = static_cast<int>(*strength);
    heads.push_back(std::move(head));
  }
  return heads;
}

std::vector<ComparisonText> list_comparison_texts(Tx& tx, const std::vector<ComparisonId>& ids) {
  std::vector<std::string> wanted;
  for (const auto& each : ids) wanted.push_back(each.value);
  std::vector<ComparisonText> texts;
  for (const auto& row : exec(tx, R"sql(
      SELECT c.id, p.id AS prompt_id, p.split, p.content_sha256 AS prompt_sha256, p.messages AS prompt,
             r.id AS response_id, r.messages AS response, r.content_sha256 AS response_sha256,
             (SELECT a.answer FROM prompt_answers a WHERE a.team_id = p.team_id AND a.prompt_id = p.id
               ORDER BY a.seq DESC LIMIT 1) AS answer
        FROM comparisons c
        JOIN prompts p ON p.team_id = c.team_id AND p.id = c.prompt_id
        JOIN comparison_responses s ON s.team_id = c.team_id AND s.comparison_id = c.id
        JOIN responses r ON r.team_id = c.team_id AND r.id = s.response_id
       WHERE c.team_id = $1 AND c.id = ANY ($2::uuid[])
       ORDER BY c.id, s.slot)sql",
                              tx.team(), wanted)) {
    if (texts.empty() || texts.back().id.value != text(row, "id")) {
      ComparisonText next;
      next.id = id<ComparisonTag>(row, "id");
      next.prompt = id<PromptTag>(row, "prompt_id");
      next.split = text(row, "split");
      next.prompt_sha256 = text(row, "prompt_sha256");
      next.prompt_messages = text(row, "prompt");
      next.answer = maybe_text(row, "answer");
      texts.push_back(std::move(next));
    }
    texts.back().response_ids.push_back(id<ResponseTag>(row, "response_id"));
    texts.back().responses.push_back(text(row, "response"));
    texts.back().response_sha256.push_back(text(row, "response_sha256"));
  }
  return texts;
}

std::vector<PromptId> list_prompt_ids(Tx& tx, const ProjectId& project) {
  tx.allow_long_statements();
  std::vector<PromptId> ids;
  for (const auto& row :
       exec(tx, "SELECT id FROM prompts WHERE team_id = $1 AND project_id = $2 ORDER BY id",
            tx.team(), project))
    ids.push_back(id<PromptTag>(row, "id"));
  return ids;
}

std::vector<PromptText> list_prompt_texts(Tx& tx, const std::vector<PromptId>& ids) {
  std::vector<std::string> wanted;
  for (const auto& each : ids) wanted.push_back(each.value);
  std::vector<PromptText> texts;
  for (const auto& row : exec(tx, R"sql(
      SELECT p.id, p.split, p.content_sha256, p.messages,
             (SELECT a.answer FROM prompt_answers a WHERE a.team_id = p.team_id AND a.prompt_id = p.id
               ORDER BY a.seq DESC LIMIT 1) AS answer
        FROM prompts p
       WHERE p.team_id = $1 AND p.id = ANY ($2::uuid[])
       ORDER BY p.id)sql",
                              tx.team(), wanted))
    texts.push_back({.id = id<PromptTag>(row, "id"),
                     .split = text(row, "split"),
                     .sha256 = text(row, "content_sha256"),
                     .messages = text(row, "messages"),
                     .answer = maybe_text(row, "answer")});
  return texts;
}

Snapshot insert_snapshot(Tx& tx, const NewSnapshot& given) {
  tx.allow_long_statements();
  // Numbers without gaps: two snapshots of one project are made one after the other.
  exec(tx, "SELECT pg_advisory_xact_lock(hashtextextended('hone.snapshot.' || $1, 0))",
       given.project);
  const auto rows = exec(tx, R"sql(
      INSERT INTO snapshots (project_id, number, name, root, manifest_sha256, artifact_sha256,
                             artifact_bytes, rows, judges, statistics, aggregation, manifest, created_by)
      SELECT $2, n.number, coalesce(nullif($3, ''), 'snapshot ' || n.number), $4, $5, $6, $7, $8::jsonb,
             $9::jsonb, $10::jsonb, $11::jsonb, $12::jsonb, $13
        FROM (SELECT coalesce(max(number), 0) + 1 AS number FROM snapshots
               WHERE team_id = $1 AND project_id = $2) n
      ON CONFLICT ON CONSTRAINT snapshots_one_content DO NOTHING RETURNING id)sql",
                         tx.team(), given.project, given.name, given.root, given.manifest_sha256,
                         given.artifact_sha256, given.artifact_bytes, given.rows, given.judges,
                         given.statistics, given.aggregation, given.manifest, given.created_by);
  if (!rows.empty()) {
    const auto made = id<SnapshotTag>(rows[0], "id");
    insert_leaves(tx, made, given.leaves);
    auto snapshot = get_snapshot(tx, made);
    snapshot.created_now = true;
    return snapshot;
  }
  const auto known = exec(tx, R"sql(
      SELECT id FROM snapshots WHERE team_id = $1 AND project_id = $2 AND root = $3 AND manifest_sha256 = $4)sql",
                          tx.team(), given.project, given.root, given.manifest_sha256);
  return get_snapshot(tx, id<SnapshotTag>(known[0], "id"));
}

List<Snapshot> list_snapshots(Tx& tx, const ProjectId& project, const Page& page) {
  const int limit = std::clamp(page.limit, 1, 200);
  List<Snapshot> list;
  for (const auto& row :
       exec(tx, kSnapshots, tx.team(), project, std::nullopt, page.after, limit + 1, false))
    list.data.push_back(snapshot_of(row));
  list.has_more = static_cast<int>(list.data.size()) > limit;
  if (list.has_more) list.data.pop_back();
  return list;
}

Snapshot get_snapshot(Tx& tx, const SnapshotId& snapshot) {
  const auto rows = exec(tx, kSnapshots, tx.team(), std::nullopt, snapshot, "", 1, false);
  if (rows.empty()) throw Error(Code::NotFound, "no such snapshot");
  return snapshot_of(rows[0]);
}

std::optional<Snapshot> find_latest_snapshot(Tx& tx, const ProjectId& project, Contents contents) {
  const auto rows = exec(tx, kSnapshots, tx.team(), project, std::nullopt, "", 1,
                         contents == Contents::Judgments);
  if (rows.empty()) return std::nullopt;
  return snapshot_of(rows[0]);
}

}  // namespace hone::storage
