#include "services/server/handlers/labelling.h"

#include "services/server/app.h"
#include "services/server/json/body.h"
#include "services/server/json/labelling.h"
#include "services/server/json/list.h"
#include "services/server/json/values.h"
#include "storage/artifacts/sha256.h"
#include "storage/repo/project_lookup.h"

namespace hone::server {

using nlohmann::json;
using storage::Outcome;

namespace {

const char* const kKeyReused = "this Idempotency-Key was used for another answer";

}  // namespace

net::awaitable<Response> post_queue_next(App& app, Caller caller, Request request) {
  auto ask = parse_ask(parse_body(request));
  ask.project = path_id<ProjectId>(request, "id");
  const auto lease = [=](storage::Tx& tx) {
    auto mine = ask;
    mine.judge = storage::judge_of_user(tx, caller.user);
    return storage::hand_out(tx, mine);
  };
  const auto handed_out = co_await app.db.transact(caller.team, lease);
  co_return reply(to_json(handed_out));
}

net::awaitable<Response> renew_assignments(App& app, Caller caller, Request request) {
  const auto ids = parse_assignments(parse_body(request));
  const auto renew = [=](storage::Tx& tx) {
    return storage::renew_assignments(tx, storage::judge_of_user(tx, caller.user), ids);
  };
  const auto until = co_await app.db.transact(caller.team, renew);
  co_return reply({{"lease_until", or_null(until)}});
}

net::awaitable<Response> release_assignment(App& app, Caller caller, Request request) {
  const auto id = path_id<AssignmentId>(request, "id");
  const auto release = [=](storage::Tx& tx) {
    storage::release_assignment(tx, storage::judge_of_user(tx, caller.user), id);
  };
  co_await app.db.transact(caller.team, release);
  co_return Response::none();
}

net::awaitable<Response> post_judgment(App& app, Caller caller, Request request) {
  auto given = parse_judgment(request);
  given.assignment = path_id<AssignmentId>(request, "id");
  const auto record = [=](storage::Tx& tx) {
    auto mine = given;
    mine.judge = storage::judge_of_user(tx, caller.user);
    return storage::record_judgment(tx, mine);
  };
  const auto recorded = co_await app.db.transact(caller.team, record);

  if (recorded.outcome == Outcome::KeyReused)
    throw Error(Code::Invalid, kKeyReused, "Idempotency-Key");
  const bool first = recorded.outcome == Outcome::Now;
  co_return reply({{"id", recorded.id.value}, {"seq", recorded.seq}},
                  first ? http::status::created : http::status::ok);
}

net::awaitable<Response> retract_judgment(App& app, Caller caller, Request request) {
  const auto id = path_id<JudgmentId>(request, "id");
  const auto key = required_key(request);
  // What is asked stands in the path; the body is empty.
  const auto asked_sha256 = storage::sha256_hex("retract " + id.value);
  const auto retract = [=](storage::Tx& tx) {
    return storage::retract_judgment(tx, storage::judge_of_user(tx, caller.user), id, key,
                                     asked_sha256);
  };
  const auto retraction = co_await app.db.transact(caller.team, retract);
  if (retraction.outcome == Outcome::KeyReused)
    throw Error(Code::Invalid, kKeyReused, "Idempotency-Key");
  co_return reply({{"item", to_json(retraction.item)}});
}

net::awaitable<Response> get_my_stats(App& app, Caller caller, Request request) {
  const auto project = query_id<ProjectId>(request, "project");
  const auto get = [=](storage::Tx& tx) {
    if (project) storage::require_project(tx, *project);
    return storage::get_judge_stats(tx, storage::judge_of_user(tx, caller.user), project);
  };
  const auto stats = co_await app.db.transact(caller.team, get);
  co_return reply(to_json(stats));
}

net::awaitable<Response> list_my_judgments(App& app, Caller caller, Request request) {
  const auto project = query_id<ProjectId>(request, "project");
  if (!project) throw Error(Code::Invalid, "project: is required", "project");
  const auto page = page_asked(app, request);
  const auto list = [=](storage::Tx& tx) {
    storage::require_project(tx, *project);
    return storage::list_judgments_of(tx, storage::judge_of_user(tx, caller.user), *project, page);
  };
  const auto judgments = co_await app.db.transact(caller.team, list);
  auto data = json::array();
  for (const auto& judgment : judgments.data) data.push_back(to_json(judgment));
  co_return reply_list(app, std::move(data), next_of(judgments));
}

}  // namespace hone::server
