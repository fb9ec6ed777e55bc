#include "storage/repo/projects.h"

#include "feedback/base/error.h"
#include "storage/postgres/exec.h"

namespace hone::storage {
namespace {

// The newest question set is the project's guideline. Counted: heads that say something.
constexpr const char* kProjects = R"sql(
    SELECT p.id, p.slug, p.name, p.overlap, p.held_out_share, p.lease_minutes, p.paused,
           rfc3339(p.created_at) AS created, q.guideline, q.version,
           c.prompts, c.held_out, r.responses, x.comparisons, w.open, h.people, h.rules, h.imports
      FROM projects p
      JOIN LATERAL (SELECT guideline, version FROM question_sets
                     WHERE team_id = p.team_id AND project_id = p.id ORDER BY version DESC LIMIT 1) q ON true
      LEFT JOIN LATERAL (SELECT count(*) AS prompts, count(*) FILTER (WHERE split = 'held_out') AS held_out
                           FROM prompts WHERE team_id = p.team_id AND project_id = p.id) c ON true
      LEFT JOIN LATERAL (SELECT count(*) AS responses FROM responses
                          WHERE team_id = p.team_id AND project_id = p.id) r ON true
      LEFT JOIN LATERAL (SELECT count(*) AS comparisons FROM comparisons
                          WHERE team_id = p.team_id AND project_id = p.id) x ON true
      LEFT JOIN LATERAL (SELECT coalesce(sum(open_slots), 0) AS open FROM work_items
                          WHERE team_id = p.team_id AND project_id = p.id AND state = 'open') w ON true
      LEFT JOIN LATERAL (
        SELECT count(*) FILTER (WHERE judge_kind = 'person') AS people,
               count(*) FILTER (WHERE judge_kind = 'rule') AS rules,
               count(*) FILTER (WHERE judge_kind = 'import') AS imports
          FROM judgments j
         WHERE team_id = p.team_id AND project_id = p.id AND verdict NOT IN ('skip', 'retracted')
           AND NOT EXISTS (SELECT FROM judgments n WHERE n.team_id = j.team_id AND n.judge_id = j.judge_id
                              AND n.comparison_id = j.comparison_id AND n.seq = j.seq + 1)) h ON true
     WHERE p.team_id = $1 AND ($2::uuid IS NULL OR p.id = $2) AND ($3::text IS NULL OR p.slug = $3)
     ORDER BY p.created_at, p.id)sql";

Project project_of(const pqxx::row& row) {
  Project project{.id = id<ProjectTag>(row, "id"),
                  .slug = text(row, "slug"),
                  .name = text(row, "name"),
                  .guideline = text(row, "guideline"),
                  .guideline_version = int64(row, "version"),
                  .overlap = static_cast<int>(int64(row, "overlap")),
                  .held_out_share = maybe_double(row, "held_out_share").value_or(0),
                  .lease_minutes = static_cast<int>(int64(row, "lease_minutes")),
                  .paused = boolean(row, "paused"),
                  .created_at = text(row, "created"),
                  .counts = {}};
  ProjectCounts counts;
  counts.prompts = int64(row, "prompts");
  counts.held_out_prompts = int64(row, "held_out");
  counts.responses = int64(row, "responses");
  counts.comparisons = int64(row, "comparisons");
  counts.open = int64(row, "open");
  counts.judgments_person = int64(row, "people");
  counts.judgments_rule = int64(row, "rules");
  counts.judgments_import = int64(row, "imports");
  counts.judgments = counts.judgments_person + counts.judgments_rule + counts.judgments_import;
  project.counts = counts;
  return project;
}

}  // namespace

Project insert_project(Tx& tx, const NewProject& given) {
  const auto rows =
      exec(tx, R"sql(
      INSERT INTO projects (slug, name, overlap, held_out_share, lease_minutes)
      VALUES ($1, $2, $3, $4, $5) ON CONFLICT (team_id, slug) DO NOTHING RETURNING id)sql",
           given.slug, given.name, given.overlap, given.held_out_share, given.lease_minutes);
  if (rows.empty()) throw Error(Code::Conflict, "there is a project of that name", "/slug");
  const auto project = id<ProjectTag>(rows[0], "id");
  exec(tx, "INSERT INTO question_sets (project_id, version, guideline) VALUES ($1, 1, $2)", project,
       given.guideline);
  exec(tx, "INSERT INTO work_versions (project_id) VALUES ($1)", project);
  return get_project(tx, project);
}

std::vector<Project> list_projects(Tx& tx) {
  std::vector<Project> projects;
  for (const auto& row : exec(tx, kProjects, tx.team(), std::nullopt, std::nullopt))
    projects.push_back(project_of(row));
  return projects;
}

Project get_project(Tx& tx, const ProjectId& project) {
  const auto rows = exec(tx, kProjects, tx.team(), project, std::nullopt);
  if (rows.empty()) throw Error(Code::NotFound, "no such project");
  return project_of(rows[0]);
}

std::optional<Project> find_project_by_slug(Tx& tx, const std::string& slug) {
  const auto rows = exec(tx, kProjects, tx.team(), std::nullopt, slug);
  if (rows.empty()) return std::nullopt;
  return project_of(rows[0]);
}

Project patch_project(Tx& tx, const ProjectId& project, const ProjectPatch& patch) {
  tx.allow_long_statements();
  // The row's lock puts two patches in an order, so versions of the guideline have no gap.
  const auto before =
      exec(tx, "SELECT overlap FROM projects WHERE team_id = $1 AND id = $2 FOR UPDATE", tx.team(),
           project);
  if (before.empty()) throw Error(Code::NotFound, "no such project");
  exec(tx, R"sql(
      UPDATE projects SET name = coalesce($3, name), overlap = coalesce($4, overlap),
             held_out_share = coalesce($5, held_out_share), lease_minutes = coalesce($6, lease_minutes),
             paused = coalesce($7, paused)
       WHERE team_id = $1 AND id = $2)sql",
       tx.team(), project, patch.name, patch.overlap, patch.held_out_share, patch.lease_minutes,
       patch.paused);
  if (patch.overlap && *patch.overlap != int64(before[0], "overlap"))
    exec(tx, "SELECT set_overlap($1, $2)", project, *patch.overlap);
  if (patch.guideline)
    exec(tx, R"sql(
        INSERT INTO question_sets (project_id, version, questions, guideline)
        SELECT project_id, version + 1, questions, $3 FROM question_sets
         WHERE team_id = $1 AND project_id = $2
           AND version = (SELECT max(version) FROM question_sets WHERE team_id = $1 AND project_id = $2)
           AND guideline <> $3)sql",
         tx.team(), project, *patch.guideline);
  return get_project(tx, project);
}

}  // namespace hone::storage
