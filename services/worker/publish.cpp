#include "services/worker/publish.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "feedback/base/error.h"
#include "feedback/training/methods.h"
#include "services/shared/json.h"
#include "services/worker/folder.h"
#include "services/worker/revision.h"
#include "storage/repo/worker_reads.h"

namespace hone::worker {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr const char* kManifest = "hone/manifest.json";
constexpr const char* kSeeds = "hone/seeds.json";
// One folder per kind, never mixed; nothing else of out/ is published.
constexpr const char* kFolders[] = {"hf", "reward", "adapter", "hone"};

json read_json(const fs::path& file) {
  return shared::parse_json(read_text(file), {.nodes = 1'000'000});
}

// The folder of the whole model: hf/ of a language model, reward/ of a model that scores.
std::string model_folder(const json& job) {
  const auto& method = feedback::method(job.at("method").get<std::string>());
  return method.family == feedback::Family::Reward ? "reward" : "hf";
}

// What every version must hold. A run that ended well and left less has a bug.
void check_left(const fs::path& out, const std::string& model) {
  std::vector<std::string> wanted = {model + "/config.json", model + "/tokenizer.json", kManifest,
                                     "hone/evaluation.json"};
  if (model == "reward") wanted.push_back("hone/reward.json");  // its units, for who learns from it
  for (const auto& name : wanted)
    if (!fs::is_regular_file(out / name))
      throw Error(Code::Invalid, "the training process left no " + name);
}

// Regular files only, sorted by path: the order of the manifest.
std::vector<fs::path> files_of(const fs::path& out) {
  std::vector<fs::path> found;
  for (const char* name : kFolders) {
    if (!fs::is_directory(out / name)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(out / name)) {
      if (entry.is_directory() && !entry.is_symlink()) continue;
      if (entry.is_symlink() || !entry.is_regular_file())
        throw Error(Code::Invalid, "the training process left something that is not a file: " +
                                       entry.path().filename().string());
      found.push_back(fs::relative(entry.path(), out));
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

void still_ours(const Attempt& attempt) {
  if (attempt.heartbeat.state() == Heartbeat::State::Lost) throw LeaseLost();
}

json store_files(Attempt& attempt, const fs::path& out, const std::vector<fs::path>& files) {
  auto rows = json::array();
  for (const auto& file : files) {
    still_ours(attempt);
    const auto blob = attempt.store.artifacts.adopt(out / file);
    rows.push_back(
        {{"path", file.generic_string()}, {"sha256", blob.sha256}, {"bytes", blob.bytes}});
  }
  return rows;
}

// A resumed run is not the run that was not interrupted: each attempt with its steps.
json attempts_of(Attempt& attempt) {
  const auto attempts = attempt.patiently(
      [&](storage::Tx& tx) { return storage::list_job_attempts(tx, attempt.lease); });
  auto rows = json::array();
  for (const auto& one : attempts) {
    const auto last = one.epoch == attempt.lease.epoch ? attempt.last_step
                                                       : one.last_step.value_or(one.first_step);
    rows.push_back({{"epoch", one.epoch},
                    {"worker", one.worker},
                    {"started_at", one.started_at},
                    {"outcome", one.outcome.value_or("published")},
                    {"first_step", one.first_step},
                    {"last_step", last}});
  }
  return rows;
}

// hone-run's account of the mathematics, ours of the road: both in one document, keys in order.
json manifest_of(Attempt& attempt, const storage::JobInputs& inputs, const json& sources,
                 const fs::path& out, const json& files) {
  auto manifest = read_json(out / kManifest);
  manifest["job"] = {{"id", attempt.lease.job.value},
                     {"epoch", attempt.lease.epoch},
                     {"attempts", attempts_of(attempt)}};
  manifest["model"] = inputs.model;
  manifest["base_registered"] = {{"id", inputs.base->id.value},
                                 {"name", inputs.base->name},
                                 {"format", inputs.base->format},
                                 {"sha256", inputs.base->sha256}};
  manifest["snapshot"] = {{"id", inputs.snapshot->id.value},
                          {"number", inputs.snapshot->number},
                          {"root", inputs.snapshot->root},
                          {"artifact_sha256", inputs.snapshot->artifact_sha256},
                          {"rows", shared::parse_json(inputs.snapshot->rows)}};
  if (inputs.critic)
    manifest["evaluated_by"] = {{"critic", inputs.critic->name},
                                {"version", inputs.critic->version},
                                {"spec_sha256", inputs.critic->spec_sha256}};
  manifest.update(sources);
  auto listed = json::object();
  for (const auto& file : files)
    listed[file.at("path").get<std::string>()] = {{"sha256", file.at("sha256")},
                                                  {"bytes", file.at("bytes")}};
  manifest["files"] = listed;  // all but this one
  return manifest;
}

// The newest value of each metric.
json last_metrics(const fs::path& file) {
  std::error_code failed;
  if (!fs::exists(file, failed)) return json::object();
  const auto text = read_text(file);
  const auto end = text.find_last_not_of('\n');
  if (end == std::string::npos) return json::object();
  const auto start = text.find_last_of('\n', end);
  return shared::parse_json(
      std::string_view(text).substr(start == std::string::npos ? 0 : start + 1, end - start));
}

// For people, and for whatever loads a folder: the published folders by name, their bytes shared
// with the store.
void keep_published(const fs::path& out, const fs::path& published) {
  std::error_code ignored;
  fs::remove_all(published, ignored);
  fs::create_directories(published);
  for (const char* name : kFolders)
    if (fs::is_directory(out / name)) fs::rename(out / name, published / name);
}

}  // namespace

Ending publish(Attempt& attempt, const storage::JobInputs& inputs, const json& sources) {
  const auto out = attempt.folder() / "out";
  const auto model = model_folder(shared::parse_json(attempt.lease.spec));
  check_left(out, model);
  if (auto stopped = attempt.advance("publishing")) return {.outcome = *stopped};
  if (auto unreadable = read_back(attempt, out / model)) return {.outcome = *unreadable};
  if (fs::exists(out / "metrics.jsonl"))
    fs::copy_file(out / "metrics.jsonl", out / "hone/metrics.jsonl",
                  fs::copy_options::overwrite_existing);

  auto files = files_of(out);
  std::erase(files, fs::path(kManifest));
  auto rows = store_files(attempt, out, files);
  const auto manifest = manifest_of(attempt, inputs, sources, out, rows).dump(2) + "\n";
  write_text(out / kManifest, manifest);
  const auto manifest_row = store_files(attempt, out, {kManifest}).front();
  rows.push_back(manifest_row);

  const auto result = read_json(attempt.folder() / "result.json");
  storage::NewVersion version;
  version.code_revision = code_revision();
  version.manifest_sha256 = manifest_row.at("sha256");
  version.spec = attempt.lease.spec;
  version.metrics = last_metrics(out / "metrics.jsonl").dump();
  version.evaluation = read_text(out / "hone/evaluation.json");
  version.files = rows.dump();
  json said{{"run", result}, {"folder", (attempt.job_folder() / kPublished).string()}};
  // Of several seeds: each one's figures, mean and interval. At most 64 x some hundred numbers.
  if (fs::exists(out / kSeeds)) said["seeds"] = read_json(out / kSeeds);
  version.result = said.dump();
  const auto published = attempt.patiently(
      [&](storage::Tx& tx) { return storage::publish_version(tx, attempt.lease, version); });
  if (published.written == storage::Written::Stale) {
    if (auto stopped = attempt.advance("publishing")) return {.outcome = *stopped};
    throw LeaseLost();
  }
  keep_published(out, attempt.job_folder() / kPublished);
  return {.outcome = Outcome{.kind = Outcome::Kind::Succeeded, .blame = Blame::None},
          .result = "",
          .recorded = true};
}

}  // namespace hone::worker
