// Bases: open-weight models registered on the instance, bytes in the artifact store. Shared by all
// teams, so they carry no team.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "storage/postgres/tx.h"

namespace hone::storage {

struct Base {
  BaseId id;
  std::string name, description, architecture;
  std::string format;  ///< "gguf": `sha256` is the file; "hf": `sha256` is the manifest below
  std::string sha256;
  std::int64_t bytes = 0;
  std::string created_at;
};

/// A Hugging Face directory is stored as one artifact for each file and a manifest artifact
/// {"files":[{"path","sha256","bytes"}]}, sorted by path; its SHA-256 names the base.
struct NewBase {
  std::string name{}, description{}, architecture{}, format{}, sha256{};
  std::int64_t bytes = 0;
};

/// Conflict when the name stands for other bytes; the same again gives the first row.
Base insert_base(Tx& tx, const NewBase& given);
std::vector<Base> list_bases(Tx& tx);
/// By name or id.
std::optional<Base> find_base(Tx& tx, const std::string& name_or_id);

}  // namespace hone::storage
