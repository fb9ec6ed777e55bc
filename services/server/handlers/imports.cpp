#include "services/server/handlers/imports.h"

#include <fstream>

#include "services/server/app.h"
#include "services/server/handlers/audited.h"
#include "services/server/json/body.h"
#include "services/server/json/imports.h"
#include "services/server/json/values.h"
#include "storage/artifacts/sha256.h"
#include "storage/repo/project_lookup.h"

namespace hone::server {
namespace {

using nlohmann::json;

constexpr std::size_t kRowsABatch = 200;

/// Ends a dry run's transaction after the whole import was carried out in it.
struct RolledBack {
  storage::ImportCounts added;
};

std::ifstream open(const httpd::TempFile& file) {
  std::ifstream in(file.path(), std::ios::binary);
  if (!in) throw Error(Code::Busy, "the upload could not be read again; please send it once more");
  return in;
}

/// The whole file is read once before anything is stored, so that a refusal names every bad row and
/// the transaction is not held open by reading through rows it would have to give up.
shared::ImportReport check(const httpd::TempFile& file, const ImportAsked& asked) {
  auto in = open(file);
  shared::ImportReader reader(in, asked.format);
  while (reader.next()) {
  }
  return reader.report();
}

storage::ImportCounts store(storage::Tx& tx, const httpd::TempFile& file, const ImportAsked& asked,
                            const storage::Import& import, const ProjectId& project) {
  auto in = open(file);
  shared::ImportReader reader(in, asked.format);
  storage::ImportCounts added;
  auto batch = json::array();
  const auto flush = [&] {
    if (!batch.empty()) added += storage::import_rows(tx, import, project, batch.dump());
    batch = json::array();
  };
  while (const auto row = reader.next()) {
    batch.push_back(to_row(*row, asked));
    if (batch.size() == kRowsABatch) flush();
  }
  flush();
  storage::finish_import(tx, import, added, reader.report().refused);
  return added;
}

}  // namespace

net::awaitable<Response> post_import(App& app, Caller caller, Request request) {
  const auto project = path_id<ProjectId>(request, "id");
  const auto asked = parse_import_asked(request);
  const auto file = request.file;
  const auto exists = [project](storage::Tx& tx) { storage::require_project(tx, project); };
  co_await app.db.transact(caller.team, exists);

  std::string sha256;
  const auto look = [&] {
    sha256 = storage::sha256_file_hex(file->path());
    return check(*file, asked);
  };
  const auto report = co_await app.files.call(look);
  const bool wanted = report.rows > 0 && (report.refused == 0 || asked.keep_good);
  if (!wanted) co_return refuse_import(report);

  storage::ImportCounts added;
  const auto act = [&](storage::Tx& tx) -> std::string {
    const auto import = storage::insert_import(tx, {.project = project,
                                                    .format = shared::to_string(*report.format),
                                                    .file_sha256 = sha256,
                                                    .judge_name = "import " + sha256.substr(0, 12),
                                                    .created_by = caller.user});
    added = store(tx, *file, asked, import, project);
    if (asked.dry_run) throw RolledBack{added};
    audit(tx, caller, request, "import.create", "import", import.id,
          json{{"file_sha256", sha256}}.dump());
    return import.id;
  };
  std::optional<std::string> id;
  try {
    id = co_await app.db.transact(caller.team, act);
  } catch (const RolledBack& dry) {
    added = dry.added;
  }
  co_return reply(to_json(id, report, added), id ? http::status::created : http::status::ok);
}

}  // namespace hone::server
