#include "services/server/json/models.h"

#include "services/server/json/values.h"

namespace hone::server {

using nlohmann::json;

json to_json(const storage::Model& model) {
  return {{"id", model.id.value},       {"name", model.name},
          {"task", model.task},         {"latest_version", or_null(model.latest_version)},
          {"versions", model.versions}, {"created_at", model.created_at}};
}

json to_json(const storage::Version& version) {
  auto files = json::array();
  for (const auto& file : version.files)
    files.push_back({{"path", file.path}, {"bytes", file.bytes}, {"sha256", file.sha256}});
  return {
      {"id", version.id.value},
      {"model", version.model},
      {"task", version.task},
      {"version", version.number},
      {"state", version.state},
      {"run", version.run.value},
      {"base",
       {{"id", version.base.value}, {"name", version.base_name}, {"sha256", version.base_sha256}}},
      {"snapshot",
       {{"id", version.snapshot.value},
        {"number", version.snapshot_number},
        {"root", version.snapshot_root}}},
      {"spec", stored_json(version.spec)},
      {"code_revision", version.code_revision},
      {"metrics", stored_json(version.metrics)},
      {"evaluation", stored_json(version.evaluation)},
      {"manifest_sha256", version.manifest_sha256},
      {"files", std::move(files)},
      {"created_at", version.created_at}};
}

}  // namespace hone::server
