#include "services/server/handlers/jobs.h"

#include "services/server/app.h"
#include "services/server/events/job_stream.h"
#include "services/server/handlers/audited.h"
#include "services/server/handlers/critics.h"
#include "services/server/json/body.h"
#include "services/server/json/jobs.h"
#include "services/server/json/list.h"
#include "services/server/json/once.h"
#include "services/server/json/values.h"
#include "services/server/seeds.h"
#include "storage/artifacts/sha256.h"
#include "storage/repo/bases.h"
#include "storage/repo/critics.h"
#include "storage/repo/projects.h"

namespace hone::server {
namespace {

using nlohmann::json;

/// Job, audit row and reply, in the caller's transaction.
Response start_job(storage::Tx& tx, const Caller& caller, const Request& request,
                   const ProjectId& project, const std::string& kind, const json& spec) {
  const std::string text = spec.dump();
  const auto id = storage::insert_job(tx, {.project = project,
                                           .kind = kind,
                                           .spec = text,
                                           .spec_sha256 = storage::sha256_hex(text),
                                           .created_by = caller.user});
  audit(tx, caller, request, "job.create", "job", id.value, text);
  return reply(to_json(storage::get_job(tx, id)), http::status::accepted);
}

}  // namespace

net::awaitable<Response> post_sample(App& app, Caller caller, Request request) {
  const auto project = path_id<ProjectId>(request, "id");
  const auto draw = [&app] { return draw_seed(app.random); };
  const auto asked = parse_sample(parse_body(request), draw);
  const std::function<Response(storage::Tx&)> act = [=](storage::Tx& tx) {
    const auto counts = storage::get_project(tx, project).counts.value_or(storage::ProjectCounts{});
    const auto base = storage::find_base(tx, asked.base);
    if (!base) throw Error(Code::Invalid, "base: there is no base \"" + asked.base + "\"", "/base");
    const auto prompts = asked.split == "all"        ? counts.prompts
                         : asked.split == "held_out" ? counts.held_out_prompts
                                                     : counts.prompts - counts.held_out_prompts;
    if (prompts == 0)
      throw Error(Code::Invalid, "split: the project has no prompts there; import some first",
                  "/split");
    json spec = asked.spec;
    spec["base"] = base->id.value;
    spec["base_name"] = base->name;
    return start_job(tx, caller, request, project, "sample", spec);
  };
  co_return co_await act_once(app, caller, request, act);
}

net::awaitable<Response> post_judge(App& app, Caller caller, Request request) {
  const auto project = path_id<ProjectId>(request, "id");
  const json given = parse_body(request);
  shared::Fields body(given);
  const CriticId critic{body.uuid("critic")};
  body.done();
  const std::function<Response(storage::Tx&)> act = [=](storage::Tx& tx) {
    const auto counts = storage::get_project(tx, project).counts.value_or(storage::ProjectCounts{});
    const auto version = find_critic(tx, project, critic);
    if (!version) throw Error(Code::Invalid, "critic: the project has no such critic", "/critic");
    if (counts.comparisons == 0)
      throw Error(Code::Invalid,
                  "the project has no comparisons; sample answers or import pairs first");
    return start_job(tx, caller, request, project, "judge",
                     {{"critic", critic.value},
                      {"critic_name", version->name},
                      {"critic_version", version->version}});
  };
  co_return co_await act_once(app, caller, request, act);
}

net::awaitable<Response> list_jobs(App& app, Caller caller, Request request) {
  storage::JobFilter filter{.project = query_id<ProjectId>(request, "project"), .kinds = {}};
  if (const auto kind = request.find_query("kind"); kind && !kind->empty()) {
    if (*kind != "train" && *kind != "sample" && *kind != "judge")
      throw Error(Code::Invalid, "kind: must be one of train, sample, judge", "kind");
    filter.kinds = {*kind};
  }
  const auto page = page_asked(app, request);
  const auto list = [=](storage::Tx& tx) { return storage::list_jobs(tx, filter, page); };
  const auto jobs = co_await app.db.transact(caller.team, list);
  auto data = json::array();
  for (const auto& job : jobs.data) data.push_back(to_json(job));
  co_return reply_list(app, std::move(data), next_of(jobs));
}

net::awaitable<Response> get_job(App& app, Caller caller, Request request) {
  const auto id = path_id<JobId>(request, "id");
  const auto get = [id](storage::Tx& tx) { return storage::get_job(tx, id); };
  const auto job = co_await app.db.transact(caller.team, get);
  co_return reply(to_json(job));
}

net::awaitable<Response> cancel_job(App& app, Caller caller, Request request) {
  const auto id = path_id<JobId>(request, "id");
  const auto cancel = [=](storage::Tx& tx) {
    auto job = storage::cancel_job(tx, id, caller.user);
    audit(tx, caller, request, "job.cancel", "job", id.value);
    return job;
  };
  const auto job = co_await app.db.transact(caller.team, cancel);
  co_return reply(to_json(job));
}

net::awaitable<Response> get_job_events(App& app, Caller caller, Request request) {
  const auto id = path_id<JobId>(request, "id");
  const auto exists = [id](storage::Tx& tx) { storage::get_job(tx, id); };
  co_await app.db.transact(caller.team, exists);
  co_return co_await job_events(app, caller, request, id);
}

}  // namespace hone::server
