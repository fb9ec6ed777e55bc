// The registry: models and their immutable published versions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "storage/postgres/tx.h"

namespace hone::storage {

struct Model {
  ModelId id;
  std::string name, task;  ///< task: policy or reward
  std::int64_t versions = 0;
  std::optional<std::int64_t> latest_version;
  std::string created_at;
};

struct VersionFile {
  std::string path;  ///< "hf/model.safetensors"
  std::string sha256;
  std::int64_t bytes = 0;
};

struct Version {
  VersionId id;
  std::string model, task;
  std::int64_t number = 0;
  std::string state;  ///< published
  JobId run;
  BaseId base;
  std::string base_name, base_sha256;
  SnapshotId snapshot;
  std::int64_t snapshot_number = 0;
  std::string snapshot_root;
  JsonText spec, metrics, evaluation;
  std::string code_revision, manifest_sha256, created_at;
  std::vector<VersionFile> files;  ///< by path
};

std::vector<Model> list_models(Tx& tx);
Model get_model(Tx& tx, const std::string& name);
/// Newest first, without files.
std::vector<Version> list_versions(Tx& tx, const std::string& model);
Version get_version(Tx& tx, const std::string& model, std::int64_t number);
/// A version of this team by its id, without files.
std::optional<Version> find_version(Tx& tx, const VersionId& id);

}  // namespace hone::storage
