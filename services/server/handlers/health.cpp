#include "services/server/handlers/health.h"

#include <nlohmann/json.hpp>

#include "feedback/base/error.h"
#include "hone_revision.h"
#include "services/server/app.h"
#include "services/server/health_state.h"
#include "services/server/json/body.h"
#include "storage/postgres/exec.h"

namespace hone::server {
namespace {

nlohmann::json state(const App& app, bool database) {
  const auto redis = app.health.redis();
  const bool degraded = !database || redis == "away";
  return {{"status", degraded ? "degraded" : "ok"},
          {"database", database ? "ok" : "away"},
          {"redis", redis},
          {"version", HONE_VERSION},
          {"revision", HONE_REVISION}};
}

}  // namespace

net::awaitable<Response> get_health(App& app, Caller, Request) {
  co_return reply(state(app, app.health.database()));
}

net::awaitable<Response> get_ready(App& app, Caller, Request) {
  const auto ask = [](storage::Tx& tx) { storage::exec(tx, "SELECT 1"); };
  bool database = true;
  try {
    co_await app.db.transact(ask);
  } catch (const Error&) {
    database = false;
  }
  app.health.set_database(database);
  co_return reply(state(app, database),
                  database ? http::status::ok : http::status::service_unavailable);
}

}  // namespace hone::server
