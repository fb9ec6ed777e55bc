#include "rl/train/train_dpo.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/ones_like.h>
#include <sys/resource.h>

#include <chrono>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "feedback/base/error.h"
#include "rl/data/batches.h"
#include "rl/loss/dpo.h"
#include "rl/model/score.h"
#include "rl/train/failure.h"
#include "rl/train/metrics.h"

namespace hone::rl {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kStartTolerance = 1e-3;  // of ln 2, at the first step

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

at::Tensor gather(const at::Tensor& values, const std::vector<std::int64_t>& rows) {
  auto out = at::empty({static_cast<std::int64_t>(rows.size())}, at::kFloat);
  for (std::size_t i = 0; i < rows.size(); ++i)
    out.data_ptr<float>()[i] = values.const_data_ptr<float>()[rows[i]];
  return out;
}

/// Forward and backward of one micro-batch; adds to gradients and metrics. Returns trunk tokens.
std::int64_t train_on(Model& model, const PairData& data, const ReferenceLogps& reference,
                      const TrainSpec& spec, const std::vector<std::int64_t>& rows,
                      std::size_t pairs_in_step, PairMetrics& metrics) {
  const auto packed = pack(groups_of(data.train, rows));
  ScoreTrace trace;
  trace.trunk.checkpointed = spec.activation_checkpointing;
  const auto logps = response_logprobs(model, packed, {}, &trace);                   // [N]
  auto sums = sum_by_response(logps, packed).view({-1, 2}).set_requires_grad(true);  // [B,2]
  const auto chosen = sums.select(1, 0), rejected = sums.select(1, 1);
  const auto ref_chosen = gather(reference.chosen, rows),
             ref_rejected = gather(reference.rejected, rows);
  const auto out = dpo_loss(chosen, rejected, ref_chosen, ref_rejected, at::ones_like(ref_chosen),
                            {.beta = spec.beta});
  // Over the pairs of the whole step: any split into micro-batches, one gradient.
  (out.per_pair.sum() / static_cast<double>(pairs_in_step)).backward();
  response_logprobs_backward(model, packed, spread_over_tokens(sums.grad().reshape({-1}), packed),
                             {}, std::move(trace));

  std::vector<std::int64_t> chosen_tokens, rejected_tokens;
  for (const auto row : rows) {
    chosen_tokens.push_back(
        static_cast<std::int64_t>(data.train[static_cast<std::size_t>(row)].chosen.size()));
    rejected_tokens.push_back(
        static_cast<std::int64_t>(data.train[static_cast<std::size_t>(row)].rejected.size()));
  }
  metrics.add(out, chosen, rejected, chosen_tokens, rejected_tokens);
  return packed.ids.size(0);
}

void append_line(const std::filesystem::path& file, std::int64_t step, const Values& values) {
  nlohmann::ordered_json line = {{"step", step}};
  for (const auto& [name, value] : values) line[name] = value;
  std::ofstream out(file, std::ios::app);
  out << line.dump() << '\n';
  out.flush();
  if (!out) throw std::system_error(errno, std::generic_category(), file.string());
}

void save(Model& model, const AdamW& optimizer, Attempt& attempt) {
  NamedTensors tensors = optimizer.state();
  for (const auto& [name, weight] : trainable(model)) tensors.emplace_back(name, weight->value);
  tensors.insert(tensors.end(), attempt.extra.begin(), attempt.extra.end());
  attempt.state.optimizer_steps = optimizer.steps();
  attempt.observer.checkpoint(
      attempt.state.step,
      save_checkpoint(attempt.checkpoints, attempt.state, tensors, attempt.metrics));
}

}  // namespace

std::int64_t total_steps(const TrainSpec& spec, std::int64_t rows) {
  return spec.max_steps
             ? *spec.max_steps
             : spec.epochs * StepRows(rows, spec.batch_size, spec.seed).steps_per_epoch();
}

bool train_dpo(Model& model, AdamW& optimizer, const PairData& data, Attempt& attempt) {
  const auto& spec = attempt.spec;
  auto& state = attempt.state;
  StepRows order(static_cast<std::int64_t>(data.train.size()), spec.batch_size, spec.seed);
  const std::int64_t steps = total_steps(spec, static_cast<std::int64_t>(data.train.size()));
  const Schedule schedule{.peak = spec.learning_rate,
                          .decay = spec.schedule,
                          .warmup = static_cast<std::int64_t>(
                              std::ceil(spec.warmup_ratio * static_cast<double>(steps))),
                          .steps = steps};
  std::int64_t saved = state.step, steps_here = 0;
  double seconds_here = 0, eta = -1;
  auto last_save = Clock::now();

  while (state.step < steps) {
    if (attempt.observer.stop_requested()) {
      if (state.step > saved) save(model, optimizer, attempt);
      return false;
    }
    const auto start = Clock::now();
    const auto rows = order.rows_of(state.step);
    PairMetrics metrics;
    std::int64_t tokens = 0;
    for (const auto& batch : micro_batches(data.train, rows, spec.micro_batch_tokens)) {
      tokens += train_on(model, data, attempt.reference, spec, batch, rows.size(), metrics);
      attempt.observer.progress("train", state.step, steps,
                                eta);  // a sign of life inside long steps
    }
    if (!std::isfinite(metrics.loss()))
      throw RunFailure("user", "diverged",
                       "the loss is not finite: a lower learning rate usually helps", state.step,
                       "hyperparameters.learning_rate");
    if (state.step == 0 && std::abs(metrics.loss() - std::log(2.0)) > kStartTolerance)
      throw RunFailure("bug", "reference",
                       "the first step's loss is " + std::to_string(metrics.loss()) +
                           " and not log 2: the reference is not the start",
                       0);
    const double rate = schedule.at(state.step);
    const double norm = optimizer.step(rate);
    if (!std::isfinite(norm))
      throw RunFailure("user", "diverged",
                       "the gradient is not finite: a lower learning rate usually helps",
                       state.step, "hyperparameters.learning_rate");
    refresh_bf16_products(model);
    ++state.step;
    const double seconds = seconds_since(start);
    state.tokens += tokens;
    state.train_s += seconds;
    seconds_here += seconds;
    eta =
        seconds_here / static_cast<double>(++steps_here) * static_cast<double>(steps - state.step);

    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    Values values = metrics.values();
    const Values rest = {{"opt/lr", rate},
                         {"opt/grad_norm", norm},
                         {"opt/skipped", 0},
                         {"data/epoch", order.epochs_after(state.step)},
                         {"data/rows", static_cast<double>(rows.size())},
                         {"data/tokens", static_cast<double>(tokens)},
                         {"data/loss_tokens", static_cast<double>(metrics.loss_tokens())},
                         {"data/dropped", static_cast<double>(data.dropped())},
                         {"data/cut", 0},
                         {"data/boundary_merges", static_cast<double>(data.boundary_merges)},
                         {"perf/step_s", seconds},
                         {"perf/tokens_per_s", static_cast<double>(tokens) / seconds},
                         {"perf/peak_bytes", static_cast<double>(usage.ru_maxrss) * 1024}};
    values.insert(values.end(), rest.begin(), rest.end());
    append_line(attempt.metrics, state.step, values);
    attempt.observer.metrics(state.step, steps, eta, values);
    attempt.observer.progress("train", state.step, steps, eta);

    const bool by_steps =
        spec.checkpoint_every_steps > 0 && state.step % spec.checkpoint_every_steps == 0;
    const bool by_time =
        spec.checkpoint_every_s > 0 && seconds_since(last_save) >= spec.checkpoint_every_s;
    if (by_steps || by_time || state.step == steps) {
      save(model, optimizer, attempt);
      saved = state.step;
      last_save = Clock::now();
    }
  }
  return true;
}

}  // namespace hone::rl
