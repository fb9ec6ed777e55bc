// A sample job: the project's prompts go to hone-run, its responses come back as they are made, so
// that labelling can begin before the last one.
#include <cstdint>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "feedback/base/error.h"
#include "services/shared/json.h"
#include "services/shared/log.h"
#include "services/worker/attempt.h"
#include "services/worker/folder.h"
#include "services/worker/job_spec.h"
#include "services/worker/lines.h"

namespace hone::worker {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;
using std::chrono::steady_clock;

constexpr int kPromptsAPage = 500;
constexpr std::size_t kRowsAWrite = 100;
constexpr auto kReadEvery = std::chrono::seconds(1);

// How many prompts there were. Those that have all responses of this job are not among them, so
// another attempt does only what is left.
std::int64_t write_prompts(Attempt& attempt, const fs::path& file) {
  std::ofstream out(file, std::ios::binary);
  std::int64_t count = 0;
  PromptId after;
  while (true) {
    const auto page = attempt.patiently([&](storage::Tx& tx) {
      return storage::job_prompts(tx, attempt.lease, after, kPromptsAPage);
    });
    if (page.empty()) break;
    for (const auto& prompt : page)
      out << json{{"id", prompt.id.value}, {"messages", shared::parse_json(prompt.messages)}}.dump()
          << '\n';
    count += static_cast<std::int64_t>(page.size());
    after = page.back().id;
  }
  out.close();
  if (!out) throw Error(Code::Busy, "cannot write the prompts; is the disk full?");
  return count;
}

// PostgreSQL's text holds every character but U+0000; one that a model invents is shown as what no
// font has.
std::string storable(std::string text) {
  for (std::size_t at = 0; (at = text.find('\0', at)) != std::string::npos;)
    text.replace(at, 1, "\xEF\xBF\xBD");
  return text;
}

struct Counts {
  std::int64_t responses = 0;
  std::int64_t comparisons = 0;
};

// Follows the file that hone-run appends to, and records its whole lines in batches.
class Responses {
 public:
  Responses(Attempt& attempt, json sampling, fs::path file)
      : attempt_(attempt), sampling_(std::move(sampling)), file_(std::move(file)) {}

  void read_new() {
    std::ifstream in(file_, std::ios::binary);
    if (!in) return;  // not begun
    in.seekg(read_);
    std::string bytes(1 << 20, '\0');
    while (in.read(bytes.data(), static_cast<std::streamsize>(bytes.size())), in.gcount() > 0) {
      read_ += in.gcount();
      lines_.feed(std::string_view(bytes.data(), static_cast<std::size_t>(in.gcount())));
    }
    record();
  }

  void read_new_now_and_then() {
    const auto now = steady_clock::now();
    if (now - looked_ < kReadEvery) return;
    looked_ = now;
    read_new();
  }

  const Counts& counts() const { return *counts_; }  ///< once the recorder has finished

 private:
  void take(std::string_view line) {
    // Not through parse_json: a model may well say U+0000, which that refuses.
    const auto row = json::parse(line, nullptr, false);
    if (row.is_discarded())
      throw Error(Code::Invalid, "hone-run wrote a response that is not JSON");
    shared::Fields fields(row);
    json sampling = sampling_;
    for (const char* name : {"seed", "finish_reason", "logprob", "dtype"})
      if (row.contains(name)) sampling[name] = row[name];
    if (row.contains("ids")) sampling["tokens"] = row["ids"].size();
    rows_.push_back({{"prompt_id", fields.uuid("prompt_id")},
                     {"index", fields.integer("index", 0, 100)},
                     {"messages", json::array({{{"role", "assistant"},
                                                {"content", storable(row.at("text"))}}})},
                     {"sampling", sampling}});
    if (rows_.size() >= kRowsAWrite) record();
  }

  void record() {
    if (rows_.empty()) return;
    // Not `this`: the recorder may outlive it.
    attempt_.recorder.put(
        "responses", [&store = attempt_.store, &lease = attempt_.lease, counts = counts_,
                      rows = std::exchange(rows_, json::array()).dump()] {
          const auto added = store.work.transact(
              [&](storage::Tx& tx) { return storage::record_responses(tx, lease, rows); });
          counts->responses += added.responses;
          counts->comparisons += added.comparisons;
          return added.written;
        });
  }

  Attempt& attempt_;
  const json sampling_;
  const fs::path file_;
  Lines lines_{[this](std::string_view line) { take(line); }, 16 << 20};
  std::streamoff read_ = 0;
  json rows_ = json::array();
  steady_clock::time_point looked_{};
  std::shared_ptr<Counts> counts_ = std::make_shared<Counts>();  // the recorder's thread counts
};

}  // namespace

Ending carry_out_sample(Attempt& attempt) {
  const auto inputs =
      attempt.patiently([&](storage::Tx& tx) { return storage::job_inputs(tx, attempt.lease); });
  if (!inputs.base) throw Error(Code::Invalid, "a sample job without a base");
  const auto job = shared::parse_json(attempt.lease.spec);
  const auto folder = attempt.folder();
  const auto prompts = write_prompts(attempt, folder / "prompts.jsonl");
  if (auto stopped = attempt.advance("running")) return {.outcome = *stopped};

  const json sampling{{"base", inputs.base->name},
                      {"base_sha256", inputs.base->sha256},
                      {"temperature", member_or(job, "temperature", 1.0)},
                      {"top_p", member_or(job, "top_p", 1.0)},
                      {"top_k", member_or(job, "top_k", 0)},
                      {"min_p", member_or(job, "min_p", 0.0)},
                      {"repetition_penalty", member_or(job, "repetition_penalty", 1.0)},
                      {"max_tokens", member_or(job, "max_tokens", 256)}};
  Responses responses(attempt, sampling, folder / "responses.jsonl");
  Outcome outcome{.kind = Outcome::Kind::Succeeded, .blame = Blame::None};
  if (prompts > 0) {  // else an attempt before this one had recorded all
    json spec{{"kind", "sample"},
              {"base", link_base(attempt.store.artifacts, *inputs.base, folder).string()},
              {"prompts", (folder / "prompts.jsonl").string()},
              {"out", (folder / "responses.jsonl").string()},
              {"n", member_or(job, "responses_per_prompt", 2)},
              {"seed", member_or(job, "seed", 1)},
              {"dtype", member_or(job, "dtype", "auto")},
              {"adapter", nullptr}};
    for (const char* option :
         {"temperature", "top_p", "top_k", "min_p", "repetition_penalty", "max_tokens"})
      spec[option] = sampling[option];
    write_text(folder / "spec.json", spec.dump(2) + "\n");
    RunHooks hooks;
    hooks.on_tick = [&] { responses.read_new_now_and_then(); };
    outcome = run_program(attempt, hooks);
    responses.read_new();  // also of an attempt that failed: they are good responses
  }
  if (!attempt.recorder.finish()) throw LeaseLost();
  const json result{{"prompts", prompts},
                    {"responses", responses.counts().responses},
                    {"comparisons", responses.counts().comparisons}};
  return {.outcome = outcome, .result = result.dump()};
}

}  // namespace hone::worker
