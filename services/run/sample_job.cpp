#include "services/run/sample_job.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>
#include <system_error>

#include "feedback/base/error.h"
#include "rl/data/conversation.h"
#include "rl/engine/sampler.h"
#include "rl/eval/win_rate.h"
#include "rl/formats/base.h"
#include "rl/formats/export.h"
#include "rl/formats/files.h"
#include "rl/ops/matmul.h"
#include "rl/train/failure.h"
#include "rl/train/memory.h"
#include "services/run/events.h"
#include "services/run/failures.h"
#include "services/run/loading.h"
#include "services/shared/json.h"

namespace hone::run {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr shared::Fields::Length kPath{1, 4096};

struct SampleSpec {
  fs::path base, prompts, out;
  std::optional<fs::path> adapter;
  std::int64_t n = 1;
  std::uint64_t seed = 0;
  std::string dtype;
  rl::SamplingOptions options;
};

SampleSpec parse(const nlohmann::json& json, const fs::path& folder) {
  const auto resolve = [&](const std::string& p) {
    return fs::path(p).is_absolute() ? fs::path(p) : folder / p;
  };
  shared::Fields f(json);
  SampleSpec s;
  f.find_word("kind", {"sample"});
  s.base = resolve(f.text("base", kPath));
  s.prompts = resolve(f.text("prompts", kPath));
  s.out = resolve(f.find_text("out", kPath).value_or("responses.jsonl"));
  if (const auto v = f.find_text("adapter", kPath)) s.adapter = resolve(*v);
  s.n = f.find_integer("n", 1, 64).value_or(1);
  s.seed = static_cast<std::uint64_t>(f.find_integer("seed", 0, INT64_MAX).value_or(0));
  s.dtype = f.find_word("dtype", {"auto", "float32", "bfloat16"}).value_or("auto");
  s.options.max_tokens = f.find_integer("max_tokens", 1, 1 << 20).value_or(256);
  s.options.temperature = f.find_number("temperature", 0, 100).value_or(1);
  s.options.top_p = f.find_number("top_p", 1e-6, 1).value_or(1);
  s.options.top_k = f.find_integer("top_k", 0, 1 << 20).value_or(0);
  s.options.min_p = f.find_number("min_p", 0, 1).value_or(0);
  s.options.repetition_penalty = f.find_number("repetition_penalty", 1e-6, 100).value_or(1);
  f.done();
  rl::check_sampling(s.options);
  return s;
}

/// The sample's own number: of what is asked, not of where it stands or what this installation
/// calls it, so that one seed draws the same anywhere.
std::uint64_t number_of(const std::vector<rl::Message>& asked, std::int64_t index) {
  auto what = Json::array({index});
  for (const auto& message : asked) what.insert(what.end(), {message.role, message.content});
  return std::stoull(rl::sha256_of(what.dump()).substr(0, 16), nullptr, 16);
}

/// Which samples the file holds already; a last line that was cut is cut off.
std::set<std::pair<std::string, std::int64_t>> keep_whole_lines(const fs::path& file) {
  std::set<std::pair<std::string, std::int64_t>> done;
  if (!fs::exists(file)) return done;
  const auto text = rl::read_file(file, std::uint64_t{8} << 30);
  std::size_t good = 0;
  for (std::size_t from = 0; from < text.size();) {
    const auto end = text.find('\n', from);
    if (end == std::string::npos) break;
    try {
      const auto row = nlohmann::json::parse(text.begin() + static_cast<std::ptrdiff_t>(from),
                                             text.begin() + static_cast<std::ptrdiff_t>(end));
      done.emplace(row.at("prompt_id").get<std::string>(), row.at("index").get<std::int64_t>());
    } catch (const nlohmann::json::exception&) {
      break;
    }
    from = good = end + 1;
  }
  fs::resize_file(file, good);
  return done;
}

/// Appends lines and flushes them to the disk at the end.
class Lines {
 public:
  explicit Lines(const fs::path& file)
      : fd_(::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) {
    if (fd_ < 0) throw std::system_error(errno, std::generic_category(), file.string());
  }
  ~Lines() { ::close(fd_); }
  void append(const std::string& line) {
    const auto text = line + "\n";
    for (std::size_t done = 0; done < text.size();) {
      const auto n = ::write(fd_, text.data() + done, text.size() - done);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) throw std::system_error(errno, std::generic_category(), "responses");
      done += static_cast<std::size_t>(n);
    }
  }
  void flush() {
    if (::fsync(fd_) != 0) throw std::system_error(errno, std::generic_category(), "responses");
  }

 private:
  int fd_;
};

/// Fewer samples at once where memory is short: the same samples, later. RunFailure when not even
/// one has room.
rl::SamplingNeed need_that_fits(const rl::Base& base, const SampleSpec& spec, bool bf16) {
  rl::SamplingNeed need{.max_tokens = spec.options.max_tokens, .bf16 = bf16};
  const auto available = rl::available_memory();
  const auto problem = [&] { return rl::sampling_memory_problem(base.config, need, available); };
  while (need.slots > 1 && !problem().empty()) need.slots /= 2;
  if (const auto why = problem(); !why.empty()) throw rl::RunFailure("user", "memory", why);
  return need;
}

}  // namespace

int sample_job(const nlohmann::json& json, const fs::path& folder, Json& result) {
  const auto spec = parse(json, folder);
  EventWriter events(folder);
  events.progress("load", 0, 1, -1);
  const auto base = rl::open_base(spec.base);
  const auto rules = rl::text_rules(base);
  const auto prompts = rl::read_prompts(spec.prompts);
  rl::use_matmul_plan(rl::probe_matmul());
  // Many rows at once are what a job multiplies most.
  const bool bf16 = takes_bf16(spec.dtype, rl::Products::Passes);
  const auto need = need_that_fits(base, spec, bf16);
  std::optional<rl::LoraFile> adapter;
  if (spec.adapter) adapter = rl::read_peft(*spec.adapter, base.config);
  const auto model = load_sampler(base, bf16, adapter);
  events.progress("load", 1, 1, 0);

  const auto done = keep_whole_lines(spec.out);
  struct Wanted {
    std::string prompt_id;
    std::int64_t index;
  };
  std::vector<Wanted> wanted;
  std::vector<rl::SampleRequest> requests;
  for (const auto& prompt : prompts) {
    rl::Ids ids;
    for (std::int64_t i = 0; i < spec.n; ++i) {
      if (done.contains({prompt.id, i})) continue;
      if (ids.empty()) ids = rl::prompt_ids(rules, prompt.messages);
      wanted.push_back({prompt.id, i});
      requests.push_back({ids, spec.options, spec.seed, number_of(prompt.messages, i)});
    }
  }
  const auto total = static_cast<std::int64_t>(prompts.size()) * spec.n;
  auto finished = total - static_cast<std::int64_t>(requests.size());
  std::int64_t tokens = 0;
  bool stopped = false;
  Lines lines(spec.out);
  rl::SamplerOptions options;
  options.slots = need.slots;
  options.stop_ids = rules.end_ids;
  rl::SamplerEvents on;
  on.on_sample = [&](std::size_t r, const rl::Sample& sample) {
    const double logprob = std::accumulate(sample.logprobs.begin(), sample.logprobs.end(), 0.0);
    lines.append(Json{{"prompt_id", wanted[r].prompt_id},
                      {"index", wanted[r].index},
                      {"text", rules.tokenizer->decode(sample.ids, true)},
                      {"ids", sample.ids},
                      {"logprob", logprob},
                      {"finish_reason", rl::to_string(sample.finish)},
                      {"seed", spec.seed},
                      {"dtype", bf16 ? "bfloat16" : "float32"}}
                     .dump());
    tokens += static_cast<std::int64_t>(sample.ids.size());
    events.progress("sample", ++finished, total, -1);
  };
  on.stop_requested = [&] { return stopped = events.stop_requested(); };
  events.progress("sample", finished, total, -1);
  rl::sample_all(model, requests, options, on);
  lines.flush();
  result = {{"ok", !stopped}, {"samples", finished}, {"tokens", tokens}};
  if (!stopped) return kDone;
  result["blame"] = "infra";
  result["code"] = "stopped";
  result["detail"] = "told to stop; the next attempt keeps the responses that are there";
  return kTryAgain;
}

}  // namespace hone::run
