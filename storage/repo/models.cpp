#include "storage/repo/models.h"

#include "feedback/base/error.h"
#include "storage/postgres/exec.h"

namespace hone::storage {
namespace {

// A model whose first run has not published yet is shown too: with no version.
constexpr const char* kModels = R"sql(
    SELECT m.id, m.name, m.task, rfc3339(m.created_at) AS created, count(v.id) AS versions, max(v.number) AS latest
      FROM models m LEFT JOIN versions v ON v.team_id = m.team_id AND v.model_id = m.id
     WHERE m.team_id = $1 AND ($2::text IS NULL OR m.name = $2)
     GROUP BY m.team_id, m.id ORDER BY m.name)sql";

constexpr const char* kVersions = R"sql(
    SELECT v.*, rfc3339(v.created_at) AS created, m.name AS model, m.task, b.name AS base_name, b.sha256 AS base_sha256,
           s.number AS snapshot_number, s.root AS snapshot_root
      FROM versions v
      JOIN models m ON m.team_id = v.team_id AND m.id = v.model_id
      JOIN bases b ON b.id = v.base_id
      JOIN snapshots s ON s.team_id = v.team_id AND s.id = v.snapshot_id
     WHERE v.team_id = $1 AND ($2::text IS NULL OR m.name = $2) AND ($3::integer IS NULL OR v.number = $3)
       AND ($4::uuid IS NULL OR v.id = $4)
     ORDER BY v.number DESC)sql";

Model model_of(const pqxx::row& row) {
  return {.id = id<ModelTag>(row, "id"),
          .name = text(row, "name"),
          .task = text(row, "task"),
          .versions = int64(row, "versions"),
          .latest_version = maybe_int64(row, "latest"),
          .created_at = text(row, "created")};
}

Version version_of(const pqxx::row& row) {
  Version version;
  version.id = id<VersionTag>(row, "id");
  version.model = text(row, "model");
  version.task = text(row, "task");
  version.number = int64(row, "number");
  version.state = text(row, "state");
  version.run = id<JobTag>(row, "job_id");
  version.base = id<BaseTag>(row, "base_id");
  version.base_name = text(row, "base_name");
  version.base_sha256 = text(row, "base_sha256");
  version.snapshot = id<SnapshotTag>(row, "snapshot_id");
  version.snapshot_number = int64(row, "snapshot_number");
  version.snapshot_root = text(row, "snapshot_root");
  version.spec = text(row, "spec");
  version.metrics = text(row, "metrics");
  version.evaluation = text(row, "evaluation");
  version.code_revision = text(row, "code_revision");
  version.manifest_sha256 = text(row, "manifest_sha256");
  version.created_at = text(row, "created");
  return version;
}

}  // namespace

std::vector<Model> list_models(Tx& tx) {
  std::vector<Model> models;
  for (const auto& row : exec(tx, kModels, tx.team(), std::nullopt))
    models.push_back(model_of(row));
  return models;
}

Model get_model(Tx& tx, const std::string& name) {
  const auto rows = exec(tx, kModels, tx.team(), name);
  if (rows.empty()) throw Error(Code::NotFound, "no such model");
  return model_of(rows[0]);
}

std::vector<Version> list_versions(Tx& tx, const std::string& model) {
  std::vector<Version> versions;
  for (const auto& row : exec(tx, kVersions, tx.team(), model, std::nullopt, std::nullopt))
    versions.push_back(version_of(row));
  return versions;
}

Version get_version(Tx& tx, const std::string& model, std::int64_t number) {
  const auto rows = exec(tx, kVersions, tx.team(), model, number, std::nullopt);
  if (rows.empty()) throw Error(Code::NotFound, "no such version");
  auto version = version_of(rows[0]);
  for (const auto& row : exec(tx, R"sql(
      SELECT path, sha256, bytes FROM version_files WHERE team_id = $1 AND version_id = $2 ORDER BY path)sql",
                              tx.team(), version.id))
    version.files.push_back({text(row, "path"), text(row, "sha256"), int64(row, "bytes")});
  return version;
}

std::optional<Version> find_version(Tx& tx, const VersionId& id) {
  const auto rows = exec(tx, kVersions, tx.team(), std::nullopt, std::nullopt, id);
  if (rows.empty()) return std::nullopt;
  return version_of(rows[0]);
}

}  // namespace hone::storage
