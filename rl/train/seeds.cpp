#include "rl/train/seeds.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "feedback/base/error.h"
#include "rl/eval/intervals.h"
#include "rl/formats/files.h"
#include "rl/train/checkpoint.h"
#include "rl/train/failure.h"
#include "rl/train/publish.h"
#include "rl/train/run.h"
#include "rl/train/setup.h"

namespace hone::rl {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::uint64_t kFileLimit = std::uint64_t{1} << 30;
constexpr const char* kFailure = "failure.json";

fs::path folder_of(const TrainSpec& job, std::uint64_t seed) {
  return job.out / ("seed-" + std::to_string(seed));
}

/// Tells one seed's run as a part of the job.
class SeedObserver : public Observer {
 public:
  SeedObserver(Observer& job, std::size_t place, std::size_t count, std::uint64_t seed)
      : job_(job),
        place_(static_cast<std::int64_t>(place)),
        count_(static_cast<std::int64_t>(count)),
        prefix_("seed " + std::to_string(seed) + " (" + std::to_string(place + 1) + " of " +
                std::to_string(count) + "): ") {}

  void progress(std::string_view stage, std::int64_t done, std::int64_t total,
                double eta_s) override {
    job_.progress(stage, place_ * total + done, count_ * total, of_all(eta_s, total - done, total));
  }
  void metrics(std::int64_t step, std::int64_t total_steps, double eta_s,
               const Values& values) override {
    steps_ = total_steps;
    job_.metrics(place_ * total_steps + step, count_ * total_steps,
                 of_all(eta_s, total_steps - step, total_steps), values);
  }
  void checkpoint(std::int64_t step, const fs::path& path) override {
    job_.checkpoint(place_ * steps_ + step, path);
  }
  void message(std::string_view level, const std::string& text) override {
    job_.message(level, prefix_ + text);
  }
  void evaluation(const Values&) override {}  // the published seed's is told at the end
  bool stop_requested() override { return job_.stop_requested(); }

 private:
  /// Seconds of what is left, when the seeds still to come take as long as this one.
  double of_all(double eta_s, std::int64_t left, std::int64_t total) const {
    if (eta_s < 0 || left <= 0) return place_ + 1 == count_ ? eta_s : -1;
    const auto after = static_cast<double>((count_ - place_ - 1) * total);
    return eta_s * (1 + after / static_cast<double>(left));
  }

  Observer& job_;
  std::int64_t place_, count_;
  std::int64_t steps_ = 0;
  std::string prefix_;
};

std::optional<Json> read_json(const fs::path& file) {
  if (!fs::exists(file)) return std::nullopt;
  auto json = Json::parse(read_file(file, kFileLimit), nullptr, false);
  return json.is_object() ? std::optional(std::move(json)) : std::nullopt;
}

/// Calls `take` with each line of a seed's metrics.
template <class Take>
void for_each_metrics(const fs::path& file, Take&& take) {
  std::istringstream lines(fs::exists(file) ? read_file(file, kFileLimit) : std::string());
  for (std::string line; std::getline(lines, line);)
    if (!line.empty()) take(line);
}

/// The last line of a seed's metrics.
Json last_metrics(const fs::path& file) {
  std::string last;
  for_each_metrics(file, [&](const std::string& line) { last = line; });
  return last.empty() ? Json::object() : Json::parse(last);
}

/// What a seed that failed had cost by then, of its own lines: nobody else has counted it.
Json cost_until_failure(const fs::path& file) {
  std::int64_t steps = 0;
  double tokens = 0, train_s = 0;
  for_each_metrics(file, [&](const std::string& text) {
    const auto line = Json::parse(text);
    const auto seconds = line.value("perf/step_s", 0.0);
    ++steps;
    tokens += seconds * line.value("perf/tokens_per_s", 0.0);
    train_s += seconds;
  });
  return {{"steps", steps}, {"tokens", std::llround(tokens)}, {"train_s", train_s}};
}

/// The seed that a checkpoint is of.
std::uint64_t seed_of(const Checkpoint& checkpoint) {
  return Json::parse(checkpoint.state.identity.mathematics).at("seed").get<std::uint64_t>();
}

/// What an earlier attempt left is of this very run and data: asked before its steps are skipped.
bool is_of(const Json& record, const TrainSpec& seed, const std::string& data_sha256) {
  if (record.value(Json::json_pointer("/data/sha256"), std::string()) != data_sha256) return false;
  const auto wanted = Json::parse(mathematics_json(seed));
  auto found = record.value("spec", Json::object());
  if (seed.settings.word("dtype") == "auto" && found.contains("hyperparameters"))
    found["hyperparameters"]["dtype"] = "auto";
  return found == wanted;
}

/// One seed's part of seeds.json, as the disk has it; nullopt: it has not come to an end.
std::optional<Json> ended(const TrainSpec& seed, const std::string& data_sha256) {
  const auto failure = read_json(seed.out / kFailure);
  if (failure && is_of(*failure, seed, data_sha256)) return failure;
  const auto manifest = read_json(seed.out / "hone/manifest.json");
  if (!manifest || !is_of(*manifest, seed, data_sha256)) return std::nullopt;
  return Json{{"seed", seed.seed},
              {"ok", true},
              {"cost", manifest->at("cost")},
              {"metrics", last_metrics(seed.out / "metrics.jsonl")},
              {"evaluation", manifest->at("evaluation")}};
}

Json failed(const TrainSpec& seed, const std::string& data_sha256, const RunFailure& e) {
  return {{"seed", seed.seed},
          {"ok", false},
          {"code", e.code},
          {"detail", e.what()},
          {"param", e.param},
          {"step", e.step},
          {"cost", cost_until_failure(seed.out / "metrics.jsonl")},
          {"metrics", last_metrics(seed.out / "metrics.jsonl")},
          {"data", {{"sha256", data_sha256}}},
          {"spec", Json::parse(mathematics_json(seed))}};
}

/// Mean and interval of every number that all seeds with an end have.
Json summarised(const Json& seeds, const char* part) {
  std::map<std::string, std::vector<double>> values;
  std::size_t count = 0;
  for (const auto& seed : seeds) {
    if (!seed.at("ok").get<bool>()) continue;
    ++count;
    for (const auto& [name, value] : seed.at(part).items())
      if (value.is_number()) values[name].push_back(value.get<double>());
  }
  Json out = Json::object();
  for (const auto& [name, numbers] : values) {
    if (numbers.size() != count || name == "step") continue;
    const auto t = student_mean(numbers);
    out[name] = {{"mean", t.mean}, {"n", numbers.size()}};
    if (numbers.size() > 1) out[name].update({{"low", t.interval.low}, {"high", t.interval.high}});
  }
  return out;
}

/// The reference does not depend on the seed: a seed's is the next one's too.
void share_reference(const TrainSpec& job, const TrainSpec& seed) {
  const auto to = seed.out / "reference.safetensors";
  for (const auto other : job.seeds) {
    const auto from = folder_of(job, other) / "reference.safetensors";
    if (from == to || !fs::exists(from) || fs::exists(to)) continue;
    fs::create_directories(seed.out);
    std::error_code ignored;  // it costs its making again
    fs::create_hard_link(from, to, ignored);
  }
}

RunFailure failure_of(const Json& record) {
  return {"user", record.at("code").get<std::string>(), record.at("detail").get<std::string>(),
          record.at("step").get<std::int64_t>(), record.value("param", std::string())};
}

/// Where the job goes on. From the start nothing of an earlier one in `out` is taken for this
/// one's.
std::optional<Checkpoint> resume_or_clear(const TrainSpec& job) {
  std::optional<Checkpoint> checkpoint;
  if (job.resume_from) {
    checkpoint = open_checkpoint_or_earlier(*job.resume_from, [](const auto&) {});
    const auto seed = seed_of(*checkpoint);
    if (std::ranges::find(job.seeds, seed) == job.seeds.end())
      throw Error(
          Code::Invalid,
          "the checkpoint is of seed " + std::to_string(seed) + ", which is none of this job's",
          "seeds");
  } else {
    for (const auto seed : job.seeds) fs::remove_all(folder_of(job, seed));
  }
  for (const char* name : {"checkpoints", "hf", "reward", "adapter", "hone"})
    fs::remove_all(job.out / name);
  return checkpoint;
}

/// Measured once: all seeds multiply alike.
void choose_products_for_all(TrainSpec& job, const std::optional<Checkpoint>& checkpoint,
                             Observer& observer) {
  if (job.settings.word("dtype") != "auto") return;
  choose_products(job, checkpoint, observer);
  if (checkpoint)
    job.bf16_ratio = checkpoint->state.bf16_ratio;
  else if (!job.bf16_ratio)
    job.bf16_ratio = probe_bf16();
}

/// One seed's part of seeds.json, from its run or, when the job goes on, from the disk; nullopt:
/// told to stop.
std::optional<Json> run_seed(const TrainSpec& job, const TrainSpec& seed,
                             const std::string& data_sha256, SeedObserver& told) {
  if (job.resume_from) {
    if (auto record = ended(seed, data_sha256)) {
      told.message("info", "is done already");
      return record;
    }
  }
  share_reference(job, seed);
  fs::remove(seed.out / kFailure);
  try {
    if (!run_training(seed, told).finished) return std::nullopt;
  } catch (const RunFailure& e) {
    // What has no room has none with another seed, and a bug is no result.
    if (e.blame != "user" || e.code == "memory") throw;
    told.message("warning", e.what());
    const auto record = failed(seed, data_sha256, e);
    fs::create_directories(seed.out);
    write_file(seed.out / kFailure, record.dump(2) + "\n");
    return record;
  }
  const auto record = ended(seed, data_sha256);
  if (!record) throw std::logic_error("a finished seed left no record");
  return record;
}

void add_cost(SeedsOutcome& outcome, const Json& cost) {
  outcome.steps += cost.at("steps").get<std::int64_t>();
  outcome.tokens += cost.at("tokens").get<std::int64_t>();
  outcome.train_s += cost.at("train_s").get<double>();
}

}  // namespace

SeedsOutcome run_seeds(const TrainSpec& asked, Observer& observer) {
  auto job = asked;
  const auto checkpoint = resume_or_clear(job);
  choose_products_for_all(job, checkpoint, observer);
  const auto data_sha256 = sha256_of_file(job.data);
  SeedsOutcome outcome;
  Json all = Json::array();
  for (std::size_t i = 0; i < job.seeds.size(); ++i) {
    auto seed = job;
    seed.seed = job.seeds[i];
    seed.out = folder_of(job, seed.seed);
    if (!checkpoint || seed_of(*checkpoint) != seed.seed) seed.resume_from = std::nullopt;
    SeedObserver told(observer, i, job.seeds.size(), seed.seed);
    auto record = run_seed(job, seed, data_sha256, told);
    if (!record) return outcome;
    add_cost(outcome, record->at("cost"));
    record->erase("spec");
    record->erase("data");
    all.push_back(std::move(*record));
  }

  const auto ok = [](const Json& record) { return record.at("ok").get<bool>(); };
  const auto finished = std::ranges::count_if(all, ok);
  const auto first = std::ranges::find_if(all, ok);
  if (first == all.end()) throw failure_of(all.front());
  outcome.failed = static_cast<std::int64_t>(all.size()) - finished;
  outcome.published = first->at("seed").get<std::uint64_t>();
  for (const auto& [name, value] : first->at("evaluation").items())
    if (value.is_number()) outcome.evaluation.emplace_back(name, value.get<double>());
  const Json together = {
      {"published", outcome.published},
      {"seeds", all},
      {"finished", finished},
      {"failed", outcome.failed},
      {"cost",
       {{"steps", outcome.steps}, {"tokens", outcome.tokens}, {"train_s", outcome.train_s}}},
      {"evaluation", summarised(all, "evaluation")},
      {"metrics", summarised(all, "metrics")}};
  publish_seeds(job, outcome.published, together.dump());
  observer.evaluation(outcome.evaluation);
  outcome.finished = true;
  return outcome;
}

}  // namespace hone::rl
