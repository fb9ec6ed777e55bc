#include "storage/repo/critics.h"

#include "feedback/base/error.h"
#include "storage/postgres/exec.h"

namespace hone::storage {
namespace {

constexpr const char* kVersions = R"sql(
    SELECT v.id, c.project_id, w.id AS judge_id, c.name, c.kind, v.version, v.spec, v.spec_sha256,
           rfc3339(v.created_at) AS created
      FROM critic_versions v
      JOIN critics c ON c.team_id = v.team_id AND c.id = v.critic_id
      JOIN judges w ON w.team_id = v.team_id AND w.critic_version_id = v.id
     WHERE v.team_id = $1 AND ($2::uuid IS NULL OR v.id = $2) AND ($3::uuid IS NULL OR c.project_id = $3)
     ORDER BY v.id DESC)sql";

CriticVersion version_of(const pqxx::row& row) {
  return {.id = id<CriticTag>(row, "id"),
          .project = id<ProjectTag>(row, "project_id"),
          .judge = id<JudgeTag>(row, "judge_id"),
          .name = text(row, "name"),
          .kind = text(row, "kind"),
          .version = int64(row, "version"),
          .spec = text(row, "spec"),
          .spec_sha256 = text(row, "spec_sha256"),
          .created_at = text(row, "created"),
          .created_now = false};
}

}  // namespace

CriticVersion insert_critic(Tx& tx, const NewCritic& given) {
  exec(tx, R"sql(
      INSERT INTO critics (project_id, name, kind) VALUES ($1, $2, $3)
      ON CONFLICT ON CONSTRAINT critics_one_name DO NOTHING)sql",
       given.project, given.name, given.kind);
  // The lock gives two versions made at once their numbers in turn.
  const auto critic = exec(tx, R"sql(
      SELECT id, kind FROM critics WHERE team_id = $1 AND project_id = $2 AND name = $3 FOR UPDATE)sql",
                           tx.team(), given.project, given.name);
  if (text(critic[0], "kind") != given.kind)
    throw Error(Code::Conflict, "there is a critic of that name and another kind", "/name");
  const auto known = exec(tx, R"sql(
      SELECT id FROM critic_versions WHERE team_id = $1 AND critic_id = $2 AND spec_sha256 = $3)sql",
                          tx.team(), text(critic[0], "id"), given.spec_sha256);
  if (!known.empty()) return get_critic(tx, id<CriticTag>(known[0], "id"));

  const auto rows =
      exec(tx, R"sql(
      INSERT INTO critic_versions (critic_id, version, spec, spec_sha256, created_by)
      SELECT $2, coalesce(max(version), 0) + 1, $3::jsonb, $4, $5 FROM critic_versions
       WHERE team_id = $1 AND critic_id = $2
      RETURNING id)sql",
           tx.team(), text(critic[0], "id"), given.spec, given.spec_sha256, given.created_by);
  exec(tx, "INSERT INTO judges (kind, critic_version_id) VALUES ($1, $2)", given.kind,
       text(rows[0], "id"));
  auto made = get_critic(tx, id<CriticTag>(rows[0], "id"));
  made.created_now = true;
  return made;
}

std::vector<CriticVersion> list_critics(Tx& tx, const ProjectId& project) {
  std::vector<CriticVersion> versions;
  for (const auto& row : exec(tx, kVersions, tx.team(), std::nullopt, project))
    versions.push_back(version_of(row));
  return versions;
}

CriticVersion get_critic(Tx& tx, const CriticId& version) {
  const auto rows = exec(tx, kVersions, tx.team(), version, std::nullopt);
  if (rows.empty()) throw Error(Code::NotFound, "no such critic");
  return version_of(rows[0]);
}

}  // namespace hone::storage
