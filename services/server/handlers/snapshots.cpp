#include "services/server/handlers/snapshots.h"

#include <memory>

#include "services/server/app.h"
#include "services/server/handlers/audited.h"
#include "services/server/json/body.h"
#include "services/server/json/list.h"
#include "services/server/json/once.h"
#include "services/server/json/snapshots.h"
#include "services/server/json/values.h"
#include "services/server/snapshot_freezer.h"
#include "storage/artifacts/store.h"
#include "storage/repo/project_lookup.h"

namespace hone::server {

using nlohmann::json;

net::awaitable<Response> post_snapshot(App& app, Caller caller, Request request) {
  const auto project = path_id<ProjectId>(request, "id");
  const auto asked = parse_snapshot(parse_body(request));
  auto computed = co_await freeze_project(app, caller, project, asked);
  // Shared, because the act is copied and may run again; a snapshot can hold a million leaves.
  const auto frozen = std::make_shared<const storage::NewSnapshot>(std::move(computed));
  const std::function<Response(storage::Tx&)> act = [=](storage::Tx& tx) {
    const auto made = storage::insert_snapshot(tx, *frozen);
    if (made.created_now) audit(tx, caller, request, "snapshot.create", "snapshot", made.id.value);
    return reply(to_json(made), made.created_now ? http::status::created : http::status::ok);
  };
  co_return co_await act_once(app, caller, request, act);
}

net::awaitable<Response> list_snapshots(App& app, Caller caller, Request request) {
  const auto project = path_id<ProjectId>(request, "id");
  const auto page = page_asked(app, request);
  const auto list = [=](storage::Tx& tx) {
    storage::require_project(tx, project);
    return storage::list_snapshots(tx, project, page);
  };
  const auto snapshots = co_await app.db.transact(caller.team, list);
  auto data = json::array();
  for (const auto& snapshot : snapshots.data) data.push_back(to_json(snapshot));
  co_return reply_list(app, std::move(data), next_of(snapshots));
}

net::awaitable<Response> get_snapshot(App& app, Caller caller, Request request) {
  const auto id = path_id<SnapshotId>(request, "id");
  const auto get = [id](storage::Tx& tx) { return storage::get_snapshot(tx, id); };
  const auto snapshot = co_await app.db.transact(caller.team, get);
  json out = to_json(snapshot);
  out["manifest"] = stored_json(snapshot.manifest);
  co_return reply(out);
}

net::awaitable<Response> get_snapshot_rows(App& app, Caller caller, Request request) {
  const auto id = path_id<SnapshotId>(request, "id");
  const auto get = [id](storage::Tx& tx) { return storage::get_snapshot(tx, id); };
  const auto snapshot = co_await app.db.transact(caller.team, get);
  auto response = Response::file(app.store.path(snapshot.artifact_sha256), "application/jsonl",
                                 "snapshot-" + std::to_string(snapshot.number) + ".jsonl");
  co_return response.with("ETag", "\"" + snapshot.artifact_sha256 + "\"");
}

}  // namespace hone::server
