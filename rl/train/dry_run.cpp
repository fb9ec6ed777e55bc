#include "rl/train/dry_run.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>

#include "feedback/base/error.h"
#include "rl/data/batches.h"
#include "rl/eval/win_rate.h"
#include "rl/formats/files.h"
#include "rl/optim/adamw.h"
#include "rl/tokenizer/tokenizer.h"
#include "rl/train/setup.h"
#include "rl/train/steps.h"

namespace hone::rl {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using feedback::Family;

constexpr std::int64_t kShownRows = 4;
constexpr std::int64_t kTimedRows = 64;
constexpr std::int64_t kTimedAnswers = 96;  // decoded together
constexpr std::int64_t kTimedTokens = 16;   // of each
constexpr double kForward = 1.0 / 3;        // of forward and backward

double seconds(const std::function<void()>& work) {
  const auto start = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// A folder of the rehearsal's own, gone with it.
class Scratch {
 public:
  Scratch() : path(fs::temp_directory_path() / ("hone-dry-run-" + std::to_string(::getpid()))) {
    fs::create_directories(path);
  }
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  const fs::path path;
};

void copy_lines(const fs::path& from, const std::set<std::int64_t>& lines, const fs::path& to) {
  std::ifstream in(from);
  std::ofstream out(to);
  std::int64_t n = 0;
  for (std::string line; std::getline(in, line);)
    if (lines.contains(++n)) out << line << '\n';
}

void refuse_padding(const Objective& objective, const Base& base) {
  const auto named = base.named_tokens.find("pad_token");
  if (named == base.named_tokens.end()) return;
  const auto pad = base.tokenizer->id_of(named->second);
  const auto& ends = base.config.eos_token_ids;
  if (!pad || std::find(ends.begin(), ends.end(), *pad) != ends.end()) return;
  for (const auto& [name, text] : base.named_tokens)  // a token with another meaning as well
    if (name != "pad_token" && text == named->second) return;
  for (std::int64_t row = 0; row < objective.facts().train; ++row)
    for (const auto& text : objective.show(row))
      for (std::size_t i = 0; i < text.ids.size(); ++i)
        if (text.ids[i] == *pad && text.marks[i] != Mark::Given)
          throw Error(Code::Invalid,
                      "line " + std::to_string(text.line) + ": an answer holds the padding token " +
                          named->second + ", and the loss would see it",
                      "data", text.line);
}

/// The run in small: some of its rows, in a folder of its own.
TrainSpec small_run(const TrainSpec& spec, const Objective& objective, const Scratch& scratch) {
  TrainSpec out = spec;
  const auto& facts = objective.facts();
  const bool draws = spec.method->family == Family::Policy;
  StepRows order(facts.train, spec.batch_size(), spec.seed_of(Stream::Order));
  std::int64_t rows = std::min({spec.batch_size(), facts.train, kTimedRows});
  if (draws) {
    const auto group = spec.settings.integer("group_size");
    rows = std::min(rows, std::max<std::int64_t>(1, kTimedAnswers / group));
    out.settings.set("max_new_tokens",
                     std::min(spec.settings.integer("max_new_tokens"), kTimedTokens));
    // One step or several: whether old log-probabilities have a pass of their own.
    const bool one =
        spec.settings.integer("rollout_epochs") == 1 && spec.settings.integer("minibatches") == 1;
    out.settings.set("rollout_epochs", std::int64_t{one ? 1 : 2});
    out.settings.set("minibatches", std::int64_t{1});
  }
  std::set<std::int64_t> lines;
  for (const auto row : order.rows_of(0)) {
    if (static_cast<std::int64_t>(lines.size()) >= rows) break;
    for (const auto& text : objective.show(row)) lines.insert(text.line);
  }
  out.data = scratch.path / "rows.jsonl";
  copy_lines(spec.data, lines, out.data);
  out.out = scratch.path / "out";
  fs::create_directories(out.out);
  out.settings.set("max_steps", std::int64_t{1});
  out.settings.set("batch_size", rows);
  out.resume_from = std::nullopt;
  out.gold = std::nullopt;
  return out;
}

struct Measured {
  double prepare = 0, begin = 0, micro_batch = 0, optimizer = 0;
  std::int64_t tokens = 0, rows = 0;  ///< of the micro-batch; of the small run
};

/// nullopt: told to stop.
std::optional<Measured> measure(Model& model, Objective& objective, const TrainSpec& spec,
                                Observer& observer) {
  Measured m;
  m.rows = objective.facts().train;
  bool going = true;
  m.prepare = seconds([&] { going = objective.prepare(model, nullptr, observer); });
  if (!going) return std::nullopt;
  std::optional<StepPlan> plan;
  m.begin = seconds([&] { plan = objective.begin(model, 0, observer); });
  if (!plan || observer.stop_requested()) return std::nullopt;
  if (plan->micro_batches.empty()) return m;
  const auto pass = [&] { m.tokens = objective.accumulate(model, plan->micro_batches.front()); };
  // The first pass finds its kernels and its memory; the second is like all that follow.
  seconds(pass);
  if (observer.stop_requested()) return std::nullopt;
  m.micro_batch = seconds(pass);
  auto weights = trainable(model);
  for (const auto& more : objective.parameters()) weights.push_back(more);
  AdamW optimizer(weights, spec.adamw());
  m.optimizer = seconds([&] { optimizer.step(1e-12); });
  return m;
}

TimeForecast forecast_time(const TrainSpec& spec, const TrainSpec& small, const DataFacts& facts,
                           const Measured& m, double load, std::int64_t steps) {
  TimeForecast t;
  t.load = load;
  t.steps = steps;
  t.runs = static_cast<std::int64_t>(std::max<std::size_t>(1, spec.seeds.size()));
  const double a_token = m.tokens > 0 ? m.micro_batch / static_cast<double>(m.tokens) : 0;
  const auto train = static_cast<double>(facts.train),
             held_out = static_cast<double>(facts.held_out);
  const double batch = std::min(static_cast<double>(spec.batch_size()), train);
  const double a_row = static_cast<double>(facts.tokens) / train;  // tokens
  if (spec.method->family == Family::Policy) {
    const auto& s = spec.settings;
    const auto group = static_cast<double>(s.integer("group_size")),
               longest = static_cast<double>(s.integer("max_new_tokens")),
               timed = static_cast<double>(small.settings.integer("max_new_tokens"));
    const double longer = longest / timed;
    const double drawn = a_row + group * longest;  // trunk tokens of a prompt with its answers
    t.prepare = m.prepare;
    t.rollout = m.begin * longer * batch / static_cast<double>(m.rows);
    const auto minibatches = s.integer("minibatches"),
               each = minibatches * s.integer("rollout_epochs");
    t.step = a_token * batch * drawn / static_cast<double>(minibatches) + m.optimizer;
    t.rollouts = (steps + each - 1) / each;
    // Answers to held-out prompts, one each, and their scores.
    const auto every = s.integer("gold_every");
    const double times =
        1 + (spec.gold && every > 0 ? static_cast<double>((t.rollouts + every - 1) / every) : 0.0);
    t.evaluation = facts.held_out > 0 || spec.gold
                       ? times * t.rollout * std::max(held_out, 1.0) / (batch * group)
                       : 0;
    return t;
  }
  const bool scored = spec.method->family == Family::Preference ||
                      spec.method->family == Family::Unpaired;  // every row under the reference
  t.prepare = m.prepare * (scored ? (train + held_out) / static_cast<double>(m.rows) : 1);
  t.step = a_token * batch * a_row + m.begin * batch / static_cast<double>(m.rows) + m.optimizer;
  t.evaluation = spec.evaluate_held_out ? kForward * a_token * held_out * a_row : 0;
  return t;
}

}  // namespace

std::optional<DryRun> dry_run(const TrainSpec& asked, Observer& observer) {
  check_spec(asked);
  DryRun out(asked);
  auto& spec = out.spec;
  const auto checkpoint = open_resumed(spec, observer);
  choose_products(spec, checkpoint, observer);
  resolve_dtype(spec, checkpoint, observer);
  const auto base = open_start(spec);
  out.base = base.description;
  out.tokenizer = base.tokenizer;
  const auto objective = make_objective(spec, base);
  out.facts = objective->facts();
  out.longest_tokens = longest_tokens(spec, base);
  out.steps = objective->total_steps();
  if (spec.win_rate) read_prompts(spec.win_rate->prompts);
  if (out.facts.leaked_prompts > 0)
    throw Error(Code::Invalid, leak_in_words(out.facts), "data", out.facts.leaked_line);
  refuse_padding(*objective, base);

  const auto others = objective->other_bytes(base.config);
  out.memory = forecast_memory(base.config, spec, out.facts.longest, others);
  out.available = available_memory();
  if (!fits_memory(out.memory, out.available))
    out.smaller = smallest_change(base.config, spec, out.facts.longest, out.available, others);

  StepRows order(out.facts.train, spec.batch_size(), spec.seed_of(Stream::Order));
  auto rows = order.rows_of(0);
  rows.resize(std::min<std::size_t>(rows.size(), kShownRows));
  const auto show = [&](const Objective& from, const std::vector<std::int64_t>& which) {
    out.batch.clear();
    for (const auto row : which)
      for (auto& text : from.show(row)) out.batch.push_back(std::move(text));
  };
  show(*objective, rows);
  if (!out.smaller.empty()) return out;

  const Scratch scratch;
  const auto small = small_run(spec, *objective, scratch);
  const auto rehearsed = make_objective(small, base);
  std::optional<Model> model;
  const double load = seconds([&] { model.emplace(make_model(*rehearsed, base, small)); });
  const auto measured = measure(*model, *rehearsed, small, observer);
  if (!measured) return std::nullopt;
  out.time = forecast_time(spec, small, out.facts, *measured, load, out.steps);
  // What was drawn, with what it was worth; of the small run's first prompts.
  if (spec.method->family == Family::Policy) show(*rehearsed, {0});
  return out;
}

}  // namespace hone::rl
