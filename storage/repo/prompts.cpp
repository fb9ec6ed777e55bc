#include "storage/repo/prompts.h"

#include <algorithm>

#include "feedback/base/error.h"
#include "storage/postgres/exec.h"

namespace hone::storage {

List<Prompt> list_prompts(Tx& tx, const ProjectId& project, const Page& page) {
  const int limit = std::clamp(page.limit, 1, 200);
  List<Prompt> list;
  for (const auto& row : exec(tx, R"sql(
      SELECT p.id, p.messages, p.split, p.external_id, rfc3339(p.created_at) AS created,
             (SELECT count(*) FROM responses r WHERE r.team_id = p.team_id AND r.prompt_id = p.id) AS responses
        FROM prompts p
       WHERE p.team_id = $1 AND p.project_id = $2 AND ($3 = '' OR p.id > nullif($3, '')::uuid)
       ORDER BY p.id LIMIT $4)sql",
                              tx.team(), project, page.after, limit + 1))
    list.data.push_back({.id = id<PromptTag>(row, "id"),
                         .messages = text(row, "messages"),
                         .split = text(row, "split"),
                         .external_id = maybe_text(row, "external_id"),
                         .responses = int64(row, "responses"),
                         .created_at = text(row, "created")});
  list.has_more = static_cast<int>(list.data.size()) > limit;
  if (list.has_more) list.data.pop_back();
  return list;
}

ImportCounts& ImportCounts::operator+=(const ImportCounts& more) {
  prompts += more.prompts;
  responses += more.responses;
  comparisons += more.comparisons;
  judgments += more.judgments;
  duplicates += more.duplicates;
  return *this;
}

Import insert_import(Tx& tx, const NewImport& given) {
  exec(tx, R"sql(
      INSERT INTO judges (kind, import_name) VALUES ('import', $1)
      ON CONFLICT ON CONSTRAINT judges_one_per_import DO NOTHING)sql",
       given.judge_name);
  const auto rows = exec(tx, R"sql(
      INSERT INTO imports (project_id, format, file_sha256, judge_id, created_by)
      SELECT $2, $3, $4, id, $5 FROM judges WHERE team_id = $1 AND import_name = $6
      RETURNING id, judge_id)sql",
                         tx.team(), given.project, given.format, given.file_sha256,
                         given.created_by, given.judge_name);
  return {text(rows[0], "id"), id<JudgeTag>(rows[0], "judge_id")};
}

ImportCounts import_rows(Tx& tx, const Import& import, const ProjectId& project,
                         const JsonText& rows) {
  tx.allow_long_statements();
  const auto taken = exec(tx, R"sql(
      SELECT p.external_id FROM jsonb_array_elements($2::jsonb) AS e (r)
        JOIN prompts p ON p.team_id = current_team() AND p.project_id = $1
         AND p.external_id = e.r->>'external_id' AND p.content_sha256 <> messages_sha256(e.r->'prompt')
       LIMIT 1)sql",
                          project, rows);
  if (!taken.empty())
    throw Error(Code::Conflict,
                "the id \"" + text(taken[0], "external_id") +
                    "\" names another prompt of this project already; nothing was imported",
                "/id");
  const auto result = exec(tx, "SELECT * FROM import_rows($1, $2, $3, $4::jsonb)", project,
                           import.id, import.judge, rows);
  const auto& row = result[0];
  return {int64(row, "prompts"), int64(row, "responses"), int64(row, "comparisons"),
          int64(row, "judgments"), int64(row, "duplicates")};
}

void finish_import(Tx& tx, const Import& import, const ImportCounts& added, std::int64_t refused) {
  exec(tx, R"sql(
      UPDATE imports SET prompts = $3, responses = $4, comparisons = $5, judgments = $6, duplicates = $7,
             refused = $8, finished_at = now()
       WHERE team_id = $1 AND id = $2)sql",
       tx.team(), import.id, added.prompts, added.responses, added.comparisons, added.judgments,
       added.duplicates, refused);
}

}  // namespace hone::storage
