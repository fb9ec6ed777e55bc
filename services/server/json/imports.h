// What an import was asked to do, what it says afterwards, and rows on their way to storage.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "services/httpd/request.h"
#include "services/httpd/response.h"
#include "services/shared/import.h"
#include "storage/repo/prompts.h"

namespace hone::server {

struct ImportAsked {
  std::optional<shared::ImportFormat> format;  ///< empty: by the first row
  std::optional<std::string> split;            ///< for rows that name none; empty: by hash
  bool keep_good = false;
  bool dry_run = false;
};

/// ?format=auto|prompts|trl|hh &split=auto|train|held_out &mode=all_or_nothing|keep_good
/// &dry_run=true. Throws Invalid naming the parameter.
ImportAsked parse_import_asked(const httpd::Request& request);

/// One row as storage::import_rows takes it. The chosen answer is the first; its label has the
/// middle strength, since a file says which is better and not by how much.
nlohmann::json to_row(const shared::ImportedRow& row, const ImportAsked& asked);

/// {"id","format","lines","rows","added",...}; `id` null of a dry run.
nlohmann::json to_json(const std::optional<std::string>& id, const shared::ImportReport& report,
                       const storage::ImportCounts& added);

/// 422 with the bad rows' lines and pointers: nothing was stored.
httpd::Response refuse_import(const shared::ImportReport& report);

}  // namespace hone::server
