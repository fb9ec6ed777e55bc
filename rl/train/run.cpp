#include "rl/train/run.h"

#include "feedback/base/error.h"
#include "rl/formats/base.h"
#include "rl/formats/files.h"
#include "rl/train/checkpoint.h"
#include "rl/train/failure.h"
#include "rl/train/guards.h"
#include "rl/train/loop.h"
#include "rl/train/memory.h"
#include "rl/train/publish.h"
#include "rl/train/setup.h"
#include "rl/train/steps.h"

namespace hone::rl {
namespace {

namespace fs = std::filesystem;

/// The base beside a model whose own weights train, multiplying as that does.
Model make_base(const Base& base, const TrainSpec& spec) {
  auto model = load_model(base.config, *base.weights, spec.bf16() ? Held::Rounded : Held::F32);
  if (spec.bf16()) use_bf16_products(model);
  return model;
}

/// The lines of steps that are done, as the checkpoint holds them.
void set_up_folder(const TrainSpec& spec, const std::optional<Checkpoint>& checkpoint) {
  fs::create_directories(spec.out);
  const auto metrics = spec.out / "metrics.jsonl";
  if (checkpoint) {
    write_file(metrics, read_file(checkpoint->path / "metrics.jsonl", std::uint64_t{1} << 30));
    return;
  }
  // From the start: what an earlier run left here would be mixed up with this one's.
  for (const char* name : {"checkpoints", "hf", "reward", "adapter", "hone"})
    fs::remove_all(spec.out / name);
  write_file(metrics, std::string_view());
}

void restore(const std::vector<NamedWeight>& weights, Model& model, AdamW& optimizer,
             const Checkpoint& checkpoint, const SafetensorsFile& file) {
  for (const auto& [name, weight] : weights) {
    const auto read = file.read(name);
    if (read.sizes() != weight->value.sizes())
      throw Error(Code::Invalid, "the checkpoint's tensor has another shape", name);
    weight->value.copy_(read);
  }
  optimizer.restore(file, checkpoint.state.optimizer_steps);
  refresh_bf16_products(model);
}

/// nullopt when told to stop.
std::optional<WinRate> win_rate(Model& model, const TrainSpec& spec, const Base& base,
                                Observer& observer) {
  std::optional<Model> base_model;
  EvalModels models;
  models.policy = [&]() -> const Model& { return model; };
  models.base = [&]() -> const Model& {
    if (spec.lora) {
      model.adapters_on = false;
      return model;
    }
    return base_model.emplace(make_base(base, spec));
  };
  auto out = measure_win_rate(
      models, text_rules(base), *spec.win_rate,
      [&](std::int64_t done, std::int64_t total) {
        observer.progress("evaluate", done, total, -1);
      },
      [&] { return observer.stop_requested(); });
  model.adapters_on = true;
  if (out.rounds.empty()) return std::nullopt;
  return out;
}

/// False when told to stop.
bool evaluate(Model& model, Objective& objective, const TrainSpec& spec, const Base& base,
              Observer& observer, Evaluation& evaluation) {
  if (spec.evaluate_held_out) {
    auto held_out = objective.held_out(model, observer);
    if (!held_out) return false;
    if (held_out->rows > 0) evaluation.held_out = std::move(held_out);
  }
  if (spec.win_rate && objective.generates()) {
    evaluation.win_rate = win_rate(model, spec, base, observer);
    if (!evaluation.win_rate) return false;
  }
  observer.evaluation(evaluation.values());
  return true;
}

}  // namespace

Values Evaluation::values() const {
  Values out;
  if (held_out) {
    out.emplace_back("eval/held_out/" + held_out->rows_name, held_out->rows);
    if (held_out->accuracy) {
      out.emplace_back("eval/held_out/accuracy/low", held_out->interval.low);
      out.emplace_back("eval/held_out/accuracy/high", held_out->interval.high);
    }
    for (const auto& [name, value] : held_out->values)
      out.emplace_back("eval/held_out/" + name, value);
  }
  if (win_rate && !win_rate->rounds.empty()) {
    const auto& w = *win_rate;
    const Values more = {{"eval/prompts/count", static_cast<double>(w.rounds.size())},
                         {"eval/prompts/win_rate", w.value},
                         {"eval/prompts/win_rate/low", w.interval.low},
                         {"eval/prompts/win_rate/high", w.interval.high},
                         {"eval/prompts/wins", static_cast<double>(w.wins)},
                         {"eval/prompts/ties", static_cast<double>(w.ties)},
                         {"eval/prompts/losses", static_cast<double>(w.losses)},
                         {"eval/prompts/length/policy", w.mean_tokens},
                         {"eval/prompts/length/base", w.base_mean_tokens},
                         {"eval/prompts/kl/seq", w.kl_seq},
                         {"eval/prompts/kl/token", w.kl_token}};
    out.insert(out.end(), more.begin(), more.end());
  }
  return out;
}

RunOutcome run_training(const TrainSpec& asked, Observer& observer) {
  check_spec(asked);
  observer.progress("load", 0, 3, -1);
  TrainSpec spec = asked;
  const auto checkpoint = open_resumed(spec, observer);
  choose_products(spec, checkpoint, observer);
  const double bf16_ratio = resolve_dtype(spec, checkpoint, observer);
  const auto base = open_start(spec);
  const auto objective = make_objective(spec, base);
  const auto& facts = objective->facts();
  observer.progress("load", 1, 3, -1);
  tell_data(facts, longest_tokens(spec, base), observer);
  if (spec.win_rate)
    read_prompts(spec.win_rate->prompts);  // a bad file is told now, not after training
  check_memory(base.config, spec, facts.longest, available_memory(),
               objective->other_bytes(base.config));

  const RunIdentity identity{mathematics_json(spec), facts.sha256, base.sha256};
  std::optional<SafetensorsFile> saved;
  if (checkpoint) {
    check_same_run(checkpoint->state.identity, identity);
    saved.emplace(checkpoint->path / "model.safetensors");
  }
  auto model = make_model(*objective, base, spec);
  observer.progress("load", 2, 3, -1);
  set_up_folder(spec, checkpoint);

  RunOutcome outcome;
  {
    auto weights = trainable(model);
    for (const auto& more : objective->parameters()) weights.push_back(more);
    AdamW optimizer(weights, spec.adamw());
    CheckpointState state;
    // The reference is the start: it is computed before the checkpoint's weights come in.
    observer.progress("load", 3, 3, 0);
    if (!objective->prepare(model, saved ? &*saved : nullptr, observer)) return outcome;
    if (checkpoint) {
      restore(weights, model, optimizer, *checkpoint, *saved);
      state = checkpoint->state;
      observer.message("info", "going on from step " + std::to_string(state.step));
    }
    state.identity = identity;
    state.plan = matmul_plan();
    state.bf16_ratio = bf16_ratio;
    state.revision = spec.code_revision;
    Attempt attempt{spec, observer, state, spec.out / "checkpoints", spec.out / "metrics.jsonl"};
    const bool done = train(model, optimizer, *objective, attempt);
    outcome.steps = attempt.state.step;
    outcome.tokens = attempt.state.tokens;
    outcome.train_s = attempt.state.train_s;
    if (!done) return outcome;
  }
  // Gradients and moments have served; evaluation needs the room.
  for_each_weight(model, [](const std::string&, Weight& weight) { weight.grad = at::Tensor(); });
  if (!evaluate(model, *objective, spec, base, observer, outcome.evaluation)) return outcome;
  if (outcome.evaluation.held_out)
    Guards(spec).see_held_out(outcome.steps, *outcome.evaluation.held_out, observer);
  observer.progress("publish", 0, 1, -1);
  outcome.finished = true;
  publish(model, {spec, base, *objective, outcome, bf16_ratio});
  observer.progress("publish", 1, 1, 0);
  return outcome;
}

}  // namespace hone::rl
