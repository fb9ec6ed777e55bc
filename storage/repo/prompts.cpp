#include "storage/repo/prompts.h"

#include <algorithm>

#include "feedback/base/error.h"
#include "storage/postgres/exec.h"

namespace hone::storage {
namespace {

constexpr int kWordsShown = 80;

/// How many prompts that are there already get an answer by this batch.
std::int64_t check_answers(Tx& tx, const Import& import, const ProjectId& project,
                           const JsonText& rows) {
  const auto found = exec(tx, R"sql(
      SELECT left(max(words) FILTER (WHERE torn OR (import_id = $3 AND answer <> before)), $4::integer) AS words,
             count(*) FILTER (WHERE prompt_id IS NOT NULL AND answer IS DISTINCT FROM before) AS known
        FROM given_answers($1, $2::jsonb))sql",
                          project, rows, import.id, kWordsShown);
  if (const auto words = maybe_text(found[0], "words"))
    throw Error(
        Code::Conflict,
        "two rows give the prompt \"" + *words + "\" different answers; nothing was imported",
        "/answer");
  return int64(found[0], "known");
}

std::int64_t insert_answers(Tx& tx, const Import& import, const ProjectId& project,
                            const JsonText& rows) {
  return exec(tx, R"sql(
      INSERT INTO prompt_answers (prompt_id, seq, answer, import_id)
      SELECT prompt_id, coalesce(seq, 0) + 1, answer, $3 FROM given_answers($1, $2::jsonb)
       WHERE answer IS DISTINCT FROM before)sql",
              project, rows, import.id)
      .affected_rows();
}

}  // namespace

List<Prompt> list_prompts(Tx& tx, const ProjectId& project, const Page& page) {
  const int limit = std::clamp(page.limit, 1, 200);
  List<Prompt> list;
  for (const auto& row : exec(tx, R"sql(
      SELECT p.id, p.messages, p.split, p.external_id, rfc3339(p.created_at) AS created,
             (SELECT count(*) FROM responses r WHERE r.team_id = p.team_id AND r.prompt_id = p.id) AS responses,
             (SELECT a.answer FROM prompt_answers a WHERE a.team_id = p.team_id AND a.prompt_id = p.id
               ORDER BY a.seq DESC LIMIT 1) AS answer
        FROM prompts p
       WHERE p.team_id = $1 AND p.project_id = $2 AND ($3 = '' OR p.id > nullif($3, '')::uuid)
       ORDER BY p.id LIMIT $4)sql",
                              tx.team(), project, page.after, limit + 1))
    list.data.push_back({.id = id<PromptTag>(row, "id"),
                         .messages = text(row, "messages"),
                         .split = text(row, "split"),
                         .external_id = maybe_text(row, "external_id"),
                         .answer = maybe_text(row, "answer"),
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
  answers += more.answers;
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
  const auto known = check_answers(tx, import, project, rows);
  const auto result = exec(tx, "SELECT * FROM import_rows($1, $2, $3, $4::jsonb)", project,
                           import.id, import.judge, rows);
  const auto& row = result[0];
  ImportCounts added{.prompts = int64(row, "prompts"),
                     .responses = int64(row, "responses"),
                     .comparisons = int64(row, "comparisons"),
                     .judgments = int64(row, "judgments"),
                     .duplicates = int64(row, "duplicates")};
  added.answers = insert_answers(tx, import, project, rows);
  // A row that brought a known prompt nothing but its answer added something all the same.
  added.duplicates -= std::min(added.duplicates, known);
  return added;
}

void finish_import(Tx& tx, const Import& import, const ImportCounts& added, std::int64_t refused) {
  exec(tx, R"sql(
      UPDATE imports SET prompts = $3, responses = $4, comparisons = $5, judgments = $6, duplicates = $7,
             refused = $8, answers = $9, finished_at = now()
       WHERE team_id = $1 AND id = $2)sql",
       tx.team(), import.id, added.prompts, added.responses, added.comparisons, added.judgments,
       added.duplicates, refused, added.answers);
}

}  // namespace hone::storage
