#include "rl/train/dpo_run.h"

#include <ATen/Parallel.h>
#include <ATen/ops/ones_like.h>

#include <algorithm>
#include <fstream>

#include "feedback/base/error.h"
#include "rl/data/batches.h"
#include "rl/formats/base.h"
#include "rl/formats/files.h"
#include "rl/loss/dpo.h"
#include "rl/model/lora.h"
#include "rl/train/checkpoint.h"
#include "rl/train/failure.h"
#include "rl/train/memory.h"
#include "rl/train/metrics.h"
#include "rl/train/publish.h"
#include "rl/train/reference.h"
#include "rl/train/train_dpo.h"

namespace hone::rl {
namespace {

namespace fs = std::filesystem;

std::int64_t longest_row(const std::vector<Pair>& pairs) {
  std::size_t longest = 0;
  for (const auto& pair : pairs)
    longest = std::max(longest, pair.prompt.size() + pair.chosen.size() + pair.rejected.size());
  return static_cast<std::int64_t>(longest);
}

Model make_model(const Base& base, const TrainSpec& spec) {
  auto model = load_model(base.config, *base.weights);
  if (spec.lora)
    add_lora(model, *spec.lora, Random(spec.seed, Stream::Init));
  else
    train_all_weights(model);
  if (spec.bf16) use_bf16_products(model);
  return model;
}

/// The base beside a model whose own weights train, multiplying as that does.
Model make_base(const Base& base, const TrainSpec& spec) {
  auto model = load_model(base.config, *base.weights);
  if (spec.bf16) use_bf16_products(model);
  return model;
}

void tell_bf16(Observer& observer) {
  const double ratio = probe_bf16();
  char words[120];
  std::snprintf(words, sizeof words, "bf16 products are %.1f times as fast as f32 ones here%s",
                ratio, ratio < 1.1 ? ": dtype float32 would lose nothing" : "");
  observer.message(ratio < 1.1 ? "warning" : "info", words);
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
  for (const char* name : {"checkpoints", "hf", "adapter", "hone"}) fs::remove_all(spec.out / name);
  write_file(metrics, std::string_view());
}

void restore(Model& model, AdamW& optimizer, const Checkpoint& checkpoint) {
  const SafetensorsFile file(checkpoint.path / "model.safetensors");
  for (const auto& [name, weight] : trainable(model)) {
    const auto read = file.read(name);
    if (read.sizes() != weight->value.sizes())
      throw Error(Code::Invalid, "the checkpoint's tensor has another shape", name);
    weight->value.copy_(read);
  }
  optimizer.restore(file, checkpoint.state.optimizer_steps);
  refresh_bf16_products(model);
}

/// Train and held-out pairs under the reference. Kept in `out` and in every checkpoint under a key
/// of all that they depend on, so that an attempt after a crash does not compute them again.
struct References {
  ReferenceLogps train, held_out;

  NamedTensors tensors() const {
    return {{"reference.train.chosen", train.chosen},
            {"reference.train.rejected", train.rejected},
            {"reference.held_out.chosen", held_out.chosen},
            {"reference.held_out.rejected", held_out.rejected}};
  }
  static References from(const SafetensorsFile& file) {
    return {{file.read("reference.train.chosen"), file.read("reference.train.rejected")},
            {file.read("reference.held_out.chosen"), file.read("reference.held_out.rejected")}};
  }
};

std::string reference_key(const TrainSpec& spec, const Base& base, const PairData& data) {
  const auto& plan = matmul_plan();
  return sha256_of(base.sha256 + "\n" + data.sha256 + "\n" + std::to_string(spec.max_tokens) +
                   "\n" + std::to_string(spec.micro_batch_tokens) + "\n" + spec.code_revision +
                   "\n" + std::to_string(plan.onednn) + " " + std::to_string(plan.direct_rows) +
                   " " + std::to_string(plan.threads) + " f32");
}

/// nullopt when told to stop.
std::optional<References> references(Model& model, const TrainSpec& spec, const Base& base,
                                     const PairData& data,
                                     const std::optional<Checkpoint>& checkpoint,
                                     Observer& observer) {
  if (checkpoint) return References::from(SafetensorsFile(checkpoint->path / "model.safetensors"));
  const auto cache = spec.out / "reference.safetensors";
  const auto key = reference_key(spec, base, data);
  if (fs::exists(cache)) {  // of an attempt that ended before its first checkpoint
    try {
      const SafetensorsFile file(cache);
      const auto found = file.metadata().find("key");
      if (found != file.metadata().end() && found->second == key) return References::from(file);
    } catch (const Error&) {
      // A damaged cache costs its making again, no more.
    }
  }
  const auto total = static_cast<std::int64_t>(data.train.size() + data.held_out.size());
  model.adapters_on = false;
  std::int64_t before = 0;
  bool stopped = false;
  const auto score = [&](const std::vector<Pair>& pairs) {
    auto out = score_pairs(model, pairs, spec.micro_batch_tokens, [&](std::int64_t done) {
      observer.progress("reference", before + done, total, -1);
      return stopped = observer.stop_requested();
    });
    before += static_cast<std::int64_t>(pairs.size());
    return out;
  };
  References out;
  out.train = score(data.train);
  if (!stopped) out.held_out = score(data.held_out);
  model.adapters_on = true;
  if (stopped) return std::nullopt;
  write_safetensors(cache, out.tensors(), {{"format", "pt"}, {"key", key}});
  return out;
}

std::optional<HeldOut> held_out(const Model& model, const TrainSpec& spec, const PairData& data,
                                const ReferenceLogps& reference, Observer& observer) {
  HeldOut out;
  const auto total = static_cast<std::int64_t>(data.held_out.size());
  if (total == 0) return out;
  const auto policy =
      score_pairs(model, data.held_out, spec.micro_batch_tokens, [&](std::int64_t done) {
        observer.progress("evaluate", done, total, -1);
        return observer.stop_requested();
      });
  if (!policy.chosen.defined()) return std::nullopt;
  const auto loss = dpo_loss(policy.chosen, policy.rejected, reference.chosen, reference.rejected,
                             at::ones_like(policy.chosen), {.beta = spec.beta});
  std::vector<std::int64_t> chosen_tokens, rejected_tokens;
  for (const auto& pair : data.held_out) {
    chosen_tokens.push_back(static_cast<std::int64_t>(pair.chosen.size()));
    rejected_tokens.push_back(static_cast<std::int64_t>(pair.rejected.size()));
  }
  PairMetrics metrics;
  metrics.add(loss, policy.chosen, policy.rejected, chosen_tokens, rejected_tokens);
  out.pairs = total;
  out.values = metrics.values();
  for (const auto& [name, value] : out.values)
    if (name == "pref/accuracy") out.accuracy = value;
  out.interval = wilson(out.accuracy * static_cast<double>(total), static_cast<double>(total));
  return out;
}

/// False when told to stop.
bool evaluate(Model& model, const TrainSpec& spec, const Base& base, const PairData& data,
              const References& reference, const TextRules& rules, Observer& observer,
              Evaluation& evaluation) {
  if (spec.evaluate_held_out && !data.held_out.empty()) {
    evaluation.held_out = held_out(model, spec, data, reference.held_out, observer);
    if (!evaluation.held_out) return false;
  }
  if (spec.win_rate) {
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
    evaluation.win_rate = measure_win_rate(
        models, rules, *spec.win_rate,
        [&](std::int64_t done, std::int64_t total) {
          observer.progress("evaluate", done, total, -1);
        },
        [&] { return observer.stop_requested(); });
    model.adapters_on = true;
    if (evaluation.win_rate->rounds.empty()) return false;
  }
  observer.evaluation(evaluation.values());
  return true;
}

}  // namespace

Values Evaluation::values() const {
  Values out;
  if (held_out && held_out->pairs > 0) {
    out = {{"eval/held_out/pairs", static_cast<double>(held_out->pairs)},
           {"eval/held_out/accuracy/low", held_out->interval.low},
           {"eval/held_out/accuracy/high", held_out->interval.high}};
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

RunOutcome run_dpo(const TrainSpec& spec, Observer& observer) {
  check_spec(spec);
  observer.progress("load", 0, 3, -1);
  const auto base = open_base(spec.base);
  const auto rules = text_rules(base);
  // Beyond its positions a model knows nothing, and dynamic scaling would begin.
  const auto longest = std::min(spec.max_tokens, base.config.max_position_embeddings);
  const auto data = read_pairs(spec.data, rules, longest);
  observer.progress("load", 1, 3, -1);
  if (data.dropped() > 0)
    observer.message("info", std::to_string(data.ties) + " ties, " + std::to_string(data.too_long) +
                                 " rows longer than " + std::to_string(longest) + " tokens and " +
                                 std::to_string(data.several_turns) +
                                 " with answers of several turns are left out");
  if (data.boundary_merges > 0)
    observer.message("info", std::to_string(data.boundary_merges) +
                                 " responses would be tokenised otherwise together with their "
                                 "prompt; they are trained on as they are sampled, apart");
  if (spec.win_rate)
    read_prompts(spec.win_rate->prompts);  // a bad file is told now, not after training
  check_memory(base.config, spec, longest_row(data.train), available_memory());

  const RunIdentity identity{mathematics_json(spec), data.sha256, base.sha256};
  std::optional<Checkpoint> checkpoint;
  if (spec.resume_from) {
    checkpoint = open_checkpoint_or_earlier(
        *spec.resume_from, [&](const std::string& why) { observer.message("warning", why); });
    check_same_run(checkpoint->state.identity, identity);
    if (spec.threads > 0 && spec.threads != checkpoint->state.plan.threads)
      observer.message(
          "info", "the run began with " + std::to_string(checkpoint->state.plan.threads) +
                      " threads and goes on with as many, so that it ends bit for bit the same");
    use_matmul_plan(checkpoint->state.plan);
  } else {
    if (spec.threads > 0) at::set_num_threads(spec.threads);
    use_matmul_plan(spec.plan ? *spec.plan : probe_matmul());
  }
  if (spec.bf16) tell_bf16(observer);
  auto model = make_model(base, spec);
  observer.progress("load", 2, 3, -1);
  set_up_folder(spec, checkpoint);

  RunOutcome outcome;
  std::optional<References> reference;
  {
    AdamW optimizer(trainable(model), spec.adamw);
    CheckpointState state;
    if (checkpoint) {
      restore(model, optimizer, *checkpoint);
      state = checkpoint->state;
      observer.message("info", "going on from step " + std::to_string(state.step));
    }
    state.identity = identity;
    state.plan = matmul_plan();
    state.revision = spec.code_revision;
    observer.progress("load", 3, 3, 0);

    reference = references(model, spec, base, data, checkpoint, observer);
    if (!reference) return outcome;
    Attempt attempt{spec,
                    observer,
                    state,
                    spec.out / "checkpoints",
                    spec.out / "metrics.jsonl",
                    reference->train,
                    reference->tensors()};
    const bool done = train_dpo(model, optimizer, data, attempt);
    outcome.steps = attempt.state.step;
    outcome.tokens = attempt.state.tokens;
    outcome.train_s = attempt.state.train_s;
    if (!done) return outcome;
  }
  // Gradients and moments have served; evaluation needs the room.
  for_each_weight(model, [](const std::string&, Weight& weight) { weight.grad = at::Tensor(); });
  if (!evaluate(model, spec, base, data, *reference, rules, observer, outcome.evaluation))
    return outcome;
  observer.progress("publish", 0, 1, -1);
  outcome.finished = true;
  publish(model, {spec, base, data, outcome});
  observer.progress("publish", 1, 1, 0);
  return outcome;
}

}  // namespace hone::rl
