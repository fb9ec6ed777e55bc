#include "services/server/handlers/runs.h"

#include "feedback/training/methods.h"
#include "services/server/app.h"
#include "services/server/events/job_stream.h"
#include "services/server/handlers/audited.h"
#include "services/server/handlers/critics.h"
#include "services/server/json/body.h"
#include "services/server/json/list.h"
#include "services/server/json/once.h"
#include "services/server/json/run_spec.h"
#include "services/server/json/runs.h"
#include "services/server/json/snapshots.h"
#include "services/server/json/values.h"
#include "services/server/seeds.h"
#include "storage/artifacts/sha256.h"
#include "storage/repo/bases.h"
#include "storage/repo/models.h"
#include "storage/repo/projects.h"
#include "storage/repo/snapshots.h"

namespace hone::server {
namespace {

using nlohmann::json;

storage::Project find_project(storage::Tx& tx, const std::string& id_or_slug) {
  if (shared::is_uuid(id_or_slug)) {
    try {
      return storage::get_project(tx, ProjectId{id_or_slug});
    } catch (const Error& e) {
      if (e.code() != Code::NotFound) throw;
    }
  } else if (auto found = storage::find_project_by_slug(tx, id_or_slug)) {
    return std::move(*found);
  }
  throw Error(Code::Invalid, "project: there is no project \"" + id_or_slug + "\"", "/project");
}

/// A snapshot of this project that holds what the method learns from.
storage::Snapshot find_snapshot(storage::Tx& tx, const ProjectId& project, const RunAsked& asked) {
  const auto& id = asked.snapshot;
  const bool draws = feedback::method(asked.method).family == feedback::Family::Policy;
  std::optional<storage::Snapshot> found;
  if (id == "latest") {
    found = storage::find_latest_snapshot(
        tx, project, draws ? storage::Contents::Any : storage::Contents::Judgments);
    if (!found)
      throw Error(Code::Invalid,
                  std::string("snapshot: the project has none") + (draws ? "" : " of judgments") +
                      " yet; make one first",
                  "/snapshot");
  } else {
    try {
      found = storage::get_snapshot(tx, SnapshotId{id});
    } catch (const Error& e) {
      if (e.code() != Code::NotFound) throw;
    }
    if (!found || found->project != project)
      throw Error(Code::Invalid, "snapshot: the project has no such snapshot", "/snapshot");
  }
  if (!draws && holds_prompts(*found))
    throw Error(Code::Invalid,
                "snapshot: it holds prompts alone, and " + asked.method +
                    " learns from judged answers: make a snapshot of judgments",
                "/snapshot");
  if (stored_json(found->rows).value("train", 0) == 0)
    throw Error(Code::Invalid, "snapshot: it holds no pairs to train on", "/snapshot");
  return std::move(*found);
}

std::string pointer_of(const RunAsked& asked, const char* name, std::size_t part) {
  return "/" + std::string(name) + (asked.ones.contains(name) ? "" : "/" + std::to_string(part));
}

/// The ids of a reward, each of this project or team, with what people call them.
json resolve_reward(storage::Tx& tx, const ProjectId& project, const RunAsked& asked,
                    const char* name) {
  json parts = name[0] == 'r' ? asked.reward : asked.gold;
  if (parts.is_null()) return parts;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    auto& part = parts[i];
    const auto at = pointer_of(asked, name, i);
    if (part.contains("critic")) {
      const auto critic = find_critic(tx, project, CriticId{part["critic"].get<std::string>()});
      if (!critic)
        throw Error(Code::Invalid, std::string(name) + ": the project has no such critic",
                    at + "/critic");
      part["label"] = critic->name + " v" + std::to_string(critic->version);
    } else if (part.contains("model")) {
      const auto version = storage::find_version(tx, VersionId{part["model"].get<std::string>()});
      if (!version)
        throw Error(Code::Invalid, std::string(name) + ": the team has no such version of a model",
                    at + "/model");
      if (version->task != "reward")
        throw Error(Code::Invalid,
                    std::string(name) + ": " + version->model +
                        " is no reward model: it writes "
                        "answers and gives them no score",
                    at + "/model");
      part["label"] = version->model + " version " + std::to_string(version->number);
    }
  }
  return parts;
}

/// A verifier that compares needs an answer of every prompt: those that are drawn for, and those
/// held out, on which rewards are measured.
void require_answers(const storage::Snapshot& snapshot, const RunAsked& asked) {
  for (const char* name : {"reward", "gold"}) {
    const auto& parts = name[0] == 'r' ? asked.reward : asked.gold;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (parts[i].value("type", "") != "exact_answer") continue;
      const auto found = answers_of(snapshot);
      const auto prompts = found.is_null() ? 0 : found.at("prompts").get<std::int64_t>();
      const auto lack = prompts - (found.is_null() ? 0 : found.at("answered").get<std::int64_t>());
      if (!found.is_null() && lack == 0) continue;
      throw Error(
          Code::Invalid,
          std::string(name) + ": exact_answer compares with each prompt's answer, and " +
              (found.is_null()
                   ? "the snapshot was made before answers were kept: make a new one"
                   : std::to_string(lack) + " of the snapshot's " + std::to_string(prompts) +
                         " prompts have none: import these with \"answer\" and make a "
                         "new snapshot"),
          pointer_of(asked, name, i) + "/type");
    }
  }
}

/// A base, or a published language model of the team: {"base" | "model": id, "label"}.
json resolve_teacher(storage::Tx& tx, const std::string& teacher) {
  if (const auto base = storage::find_base(tx, teacher))
    return {{"base", base->id.value}, {"label", base->name}};
  const auto version =
      shared::is_uuid(teacher) ? storage::find_version(tx, VersionId{teacher}) : std::nullopt;
  if (!version)
    throw Error(Code::Invalid,
                "teacher: there is no base \"" + teacher + "\", and no version of that id",
                "/teacher");
  if (version->task == "reward")
    throw Error(Code::Invalid,
                "teacher: " + version->model + " is a reward model: it writes nothing", "/teacher");
  return {{"model", version->id.value},
          {"label", version->model + " version " + std::to_string(version->number)}};
}

/// Names to ids, all within the caller's team; the spec with nothing left open.
storage::NewRun resolve(storage::Tx& tx, const RunAsked& asked, const Caller& caller) {
  const auto project = find_project(tx, asked.project);
  const auto base = storage::find_base(tx, asked.base);
  if (!base) throw Error(Code::Invalid, "base: there is no base \"" + asked.base + "\"", "/base");
  const auto snapshot = find_snapshot(tx, project.id, asked);
  require_answers(snapshot, asked);
  const auto& critic = asked.evaluation["critic"];
  if (!critic.is_null() && !find_critic(tx, project.id, CriticId{critic.get<std::string>()}))
    throw Error(Code::Invalid, "critic: the project has no such critic", "/evaluation/critic");

  // A reward model never stands under the name of what is trained against it.
  const bool scores = feedback::method(asked.method).family == feedback::Family::Reward;
  const auto model = asked.model.value_or(project.slug + (scores ? "-reward" : ""));
  json spec{{"method", asked.method},
            {"base", base->id.value},
            {"snapshot", snapshot.id.value},
            {"model", model},
            {"adapter", asked.adapter},
            {"seed", asked.seed},
            {"hyperparameters", asked.hyperparameters},
            {"evaluation", asked.evaluation}};
  spec.update(asked.checkpoints);
  spec.update(asked.seeds_apart);
  if (!asked.seeds.empty()) spec["seeds"] = asked.seeds;
  for (const char* name : {"reward", "gold"})
    if (auto resolved = resolve_reward(tx, project.id, asked, name); !resolved.is_null())
      spec[name] = std::move(resolved);
  if (asked.teacher) spec["teacher"] = resolve_teacher(tx, *asked.teacher);
  return {.project = project.id,
          .method = asked.method,
          .model = model,
          .task = scores ? "reward" : "policy",
          .base = base->id,
          .snapshot = snapshot.id,
          .adapter = asked.adapter.dump(),
          .hyperparameters = asked.hyperparameters.dump(),
          .evaluation = asked.evaluation.dump(),
          .seed = asked.seed,
          .spec = spec.dump(),
          .spec_sha256 = storage::sha256_hex(spec.dump()),
          .created_by = caller.user};
}

json full_json(storage::Tx& tx, const JobId& id) {
  return to_json(storage::get_run(tx, id), storage::list_attempts(tx, id));
}

}  // namespace

net::awaitable<Response> post_run(App& app, Caller caller, Request request) {
  const auto draw = [&app] { return draw_seed(app.random); };
  const auto asked = parse_run(parse_body(request), draw);
  const std::function<Response(storage::Tx&)> act = [=](storage::Tx& tx) {
    const auto given = resolve(tx, asked, caller);
    const auto id = storage::insert_run(tx, given);
    audit(tx, caller, request, "run.create", "run", id.value, given.spec);
    return reply(full_json(tx, id), http::status::created);
  };
  co_return co_await act_once(app, caller, request, act);
}

net::awaitable<Response> list_runs(App& app, Caller caller, Request request) {
  const auto project = query_id<ProjectId>(request, "project");
  const auto page = page_asked(app, request);
  std::optional<std::string> next;
  auto data = json::array();
  const auto list = [&](storage::Tx& tx) {
    const auto runs = storage::list_runs(tx, project, page);
    data = json::array();
    for (const auto& run : runs.data)
      data.push_back(to_json(run, storage::list_attempts(tx, run.job.id)));
    next = runs.has_more ? std::optional(runs.data.back().job.id.value) : std::nullopt;
  };
  co_await app.db.transact(caller.team, list);
  co_return reply_list(app, std::move(data), next);
}

net::awaitable<Response> get_run(App& app, Caller caller, Request request) {
  const auto id = path_id<JobId>(request, "id");
  const auto get = [id](storage::Tx& tx) { return full_json(tx, id); };
  const auto run = co_await app.db.transact(caller.team, get);
  co_return reply(run);
}

net::awaitable<Response> cancel_run(App& app, Caller caller, Request request) {
  const auto id = path_id<JobId>(request, "id");
  const auto cancel = [=](storage::Tx& tx) {
    storage::get_run(tx, id);  // a job of another kind is no run
    storage::cancel_job(tx, id, caller.user);
    audit(tx, caller, request, "run.cancel", "run", id.value);
    return full_json(tx, id);
  };
  const auto run = co_await app.db.transact(caller.team, cancel);
  co_return reply(run);
}

net::awaitable<Response> get_run_events(App& app, Caller caller, Request request) {
  const auto id = path_id<JobId>(request, "id");
  const auto exists = [id](storage::Tx& tx) { storage::get_run(tx, id); };
  co_await app.db.transact(caller.team, exists);
  co_return co_await job_events(app, caller, request, id);
}

}  // namespace hone::server
