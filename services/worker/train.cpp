// A train job: base, snapshot, reward and settings laid into a folder; hone-run trains from the
// newest checkpoint that is whole; its checkpoints are adopted as they come; the end is a published
// version.
#include <cstdint>
#include <nlohmann/json.hpp>
#include <utility>

#include "feedback/base/error.h"
#include "services/shared/json.h"
#include "services/shared/log.h"
#include "services/worker/attempt.h"
#include "services/worker/checkpoints.h"
#include "services/worker/folder.h"
#include "services/worker/job_spec.h"
#include "services/worker/publish.h"
#include "services/worker/revision.h"
#include "services/worker/sources.h"

namespace hone::worker {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr int kPromptsAPage = 500;
constexpr std::size_t kCheckpointsKept = 2;

// The held-out prompts, for the win rate. How many there are.
std::int64_t write_held_out(Attempt& attempt, const fs::path& file) {
  std::string text;
  std::int64_t count = 0;
  PromptId after;
  while (true) {
    const auto page = attempt.patiently([&](storage::Tx& tx) {
      return storage::job_prompts(tx, attempt.lease, after, kPromptsAPage);
    });
    if (page.empty()) break;
    for (const auto& prompt : page)
      text +=
          json{{"id", prompt.id.value}, {"messages", shared::parse_json(prompt.messages)}}.dump() +
          "\n";
    count += static_cast<std::int64_t>(page.size());
    after = page.back().id;
  }
  write_text(file, text);
  return count;
}

json evaluation_of(Attempt& attempt, const storage::JobInputs& inputs, const json& job) {
  const auto asked = member_or(job, "evaluation", json::object());
  json win_rate = nullptr;
  const auto file = attempt.folder() / "held_out.jsonl";
  if (inputs.critic && write_held_out(attempt, file) > 0) {
    win_rate = {{"prompts", file.string()},
                {"rule", shared::parse_json(inputs.critic->spec)},
                {"max_tokens", member_or(asked, "max_tokens", 128)},
                {"temperature", member_or(asked, "temperature", 0.7)},
                {"seed", member_or(asked, "seed", member_or(job, "seed", 1))}};
  }
  return {{"held_out_pairs", true}, {"win_rate", win_rate}};
}

json lineage_of(const Attempt& attempt, const storage::JobInputs& inputs, const Sources& sources) {
  json out{{"name", inputs.model},  // the card's title
           {"job", attempt.lease.job.value},
           {"project",
            {{"id", attempt.lease.project.value},
             {"slug", inputs.project_slug},
             {"name", inputs.project_name}}},
           {"base",
            {{"id", inputs.base->id.value},
             {"name", inputs.base->name},
             {"sha256", inputs.base->sha256},
             {"description", inputs.base->description}}},
           {"snapshot",
            {{"id", inputs.snapshot->id.value},
             {"number", inputs.snapshot->number},
             {"name", inputs.snapshot->name},
             {"root", inputs.snapshot->root},
             {"artifact_sha256", inputs.snapshot->artifact_sha256}}},
           {"worker", {{"revision", code_revision()}, {"dirty", code_dirty()}}}};
  out.update(sources.lineage);
  return out;
}

// The settings as the server resolved them; ids become paths.
json spec_of(Attempt& attempt, const storage::JobInputs& inputs, const Sources& sources,
             const json& job) {
  const auto folder = attempt.folder();
  const auto rows = folder / "rows.jsonl";
  link_blob(attempt.store.artifacts, inputs.snapshot->artifact_sha256, rows);
  json spec{{"kind", "train"},
            {"method", job.at("method")},
            {"base", link_base(attempt.store.artifacts, *inputs.base, folder).string()},
            {"data", rows.string()},
            {"out", (folder / "out").string()},
            {"adapter", member_or(job, "adapter", "none")},
            {"seed", member_or(job, "seed", 1)},
            {"hyperparameters", member_or(job, "hyperparameters", json::object())},
            {"evaluation", evaluation_of(attempt, inputs, job)},
            {"lineage", lineage_of(attempt, inputs, sources)},
            {"resume_from", nullptr}};
  spec.update(sources.spec);
  if (job.contains("seeds")) {  // in a list: "seed" is then the first of them
    spec.erase("seed");
    spec["seeds"] = job["seeds"];
  }
  for (const char* name :
       {"init_seed", "order_seed", "sample_seed", "checkpoint_every_steps", "checkpoint_every_s"})
    if (job.contains(name)) spec[name] = job[name];
  return spec;
}

// Adopts checkpoints as hone-run announces them; hashing a large one takes a while, so it is done
// in the recorder's thread.
class Adoption {
 public:
  Adoption(const Attempt& attempt, std::vector<storage::Checkpoint> before)
      : state_(std::make_shared<State>(attempt.store, attempt.lease, attempt.job_folder(),
                                       std::move(before))) {}

  void announce(Recorder& recorder, const RunEvent& event) {
    recorder.put("checkpoint", [state = state_, step = event.step, path = event.path] {
      return state->adopt(step, path);
    });
  }

 private:
  struct State {
    State(Store& into, const storage::Lease& lease_of, fs::path folder,
          std::vector<storage::Checkpoint> before)
        : store(into), lease(lease_of), job_folder(std::move(folder)), adopted(std::move(before)) {}

    storage::Written adopt(std::int64_t step, const std::string& path) {
      const auto relative = fs::path(attempt_name(lease.epoch)) / "out" / below(path);
      const auto whole = verify_checkpoint(job_folder / relative);
      if (!whole) {
        // Most often pruned already, because newer ones came while the store was away.
        shared::log_warning("checkpoint_not_adopted", {{"job", lease.job.value}, {"step", step}});
        return storage::Written::Now;
      }
      const storage::Checkpoint checkpoint{step, lease.epoch, relative.string(),
                                           whole->manifest_sha256, whole->bytes};
      const auto written = store.work.transact(
          [&](storage::Tx& tx) { return storage::adopt_checkpoint(tx, lease, checkpoint); });
      if (written == storage::Written::Now) {
        adopted.insert(adopted.begin(), checkpoint);
        if (adopted.size() > kCheckpointsKept) adopted.resize(kCheckpointsKept);
        prune_earlier_attempts(job_folder, lease.epoch, adopted);
      }
      return written;
    }

    Store& store;
    const storage::Lease& lease;
    const fs::path job_folder;
    std::vector<storage::Checkpoint> adopted;  // newest first
  };
  std::shared_ptr<State> state_;  // shared with the recorder, which may outlive us
};

}  // namespace

Ending carry_out_train(Attempt& attempt) {
  const auto inputs =
      attempt.patiently([&](storage::Tx& tx) { return storage::job_inputs(tx, attempt.lease); });
  if (!inputs.base || !inputs.snapshot)
    throw Error(Code::Invalid, "a train job without a base or a snapshot");
  const auto job = shared::parse_json(attempt.lease.spec);
  const auto sources = lay_out_sources(attempt, job);
  auto spec = spec_of(attempt, inputs, sources, job);
  const auto resume =
      take_first_whole(attempt.job_folder(), inputs.checkpoints, attempt.folder() / "resume");
  if (resume) {
    spec["resume_from"] = resume->folder.string();
    attempt.last_step = resume->checkpoint.step;
    for (const auto& seed : member_or(job, "seeds", json::array()))
      take_ended_seed(attempt.job_folder(), attempt.lease.epoch, seed.get<std::int64_t>());
  }
  write_text(attempt.folder() / "spec.json", spec.dump(2) + "\n");
  if (auto stopped = attempt.advance("running")) return {.outcome = *stopped};
  if (resume) {
    storage::NewEvent resumed;
    resumed.type = "resumed";
    resumed.message = "going on from step " + std::to_string(resume->checkpoint.step);
    resumed.data = json{{"step", resume->checkpoint.step},
                        {"epoch", resume->checkpoint.epoch},
                        {"attempt", attempt.lease.epoch}}
                       .dump();
    attempt.say(std::move(resumed));
  } else if (!inputs.checkpoints.empty()) {
    attempt.warn(
        "no checkpoint of the earlier attempts is whole on this machine; starting from step 0");
  }

  Adoption adoption(attempt, inputs.checkpoints);
  RunHooks hooks;
  hooks.on_checkpoint = [&](const RunEvent& event) { adoption.announce(attempt.recorder, event); };
  const auto outcome = run_program(attempt, hooks);
  if (!attempt.recorder.finish()) throw LeaseLost();
  if (outcome.kind != Outcome::Kind::Succeeded) return {.outcome = outcome};
  return publish(attempt, inputs, sources.lineage);
}

}  // namespace hone::worker
