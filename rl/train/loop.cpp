#include "rl/train/loop.h"

#include <sys/resource.h>

#include <chrono>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>

#include "rl/ops/cuda/device.h"
#include "rl/ops/matmul.h"
#include "rl/train/failure.h"
#include "rl/train/guards.h"

namespace hone::rl {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void append_line(const std::filesystem::path& file, std::int64_t step, const Values& values) {
  nlohmann::ordered_json line = {{"step", step}};
  for (const auto& [name, value] : values) line[name] = value;
  std::ofstream out(file, std::ios::app);
  out << line.dump() << '\n';
  out.flush();
  if (!out) throw std::system_error(errno, std::generic_category(), file.string());
}

void save(Model& model, const AdamW& optimizer, Objective& objective, Attempt& attempt) {
  NamedTensors tensors = optimizer.state();
  for (const auto& [name, weight] : trainable(model)) tensors.emplace_back(name, weight->value);
  for (const auto& [name, weight] : objective.parameters())
    tensors.emplace_back(name, weight->value);
  for (auto& tensor : objective.state()) tensors.push_back(std::move(tensor));
  attempt.state.optimizer_steps = optimizer.steps();
  attempt.observer.checkpoint(
      attempt.state.step,
      save_checkpoint(attempt.checkpoints, attempt.state, tensors, attempt.metrics));
}

/// Nothing that is not finite is applied or kept.
void need_finite(double value, const char* what, std::int64_t step) {
  if (std::isfinite(value)) return;
  throw RunFailure(
      "user", "diverged",
      std::string("the ") + what + " is not finite: a lower learning rate usually helps", step,
      "hyperparameters.learning_rate");
}

Values common_values(const StepResult& result, const StepPlan& plan, const DataFacts& facts,
                     double rate, double norm, std::int64_t tokens, double seconds) {
  const auto peak_bytes = [] {
    if (compute_device().is_cuda()) return static_cast<double>(cuda::peak_memory());
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<double>(usage.ru_maxrss) * 1024;
  };
  return {{"opt/lr", rate},
          {"opt/grad_norm", norm},
          {"opt/skipped", 0},
          {"data/epoch", plan.epochs},
          {"data/rows", static_cast<double>(plan.rows)},
          {"data/tokens", static_cast<double>(tokens)},
          {"data/loss_tokens", static_cast<double>(result.loss_tokens)},
          {"data/dropped", static_cast<double>(facts.dropped)},
          {"data/cut", static_cast<double>(facts.cut)},
          {"data/boundary_merges", static_cast<double>(facts.boundary_merges)},
          {"perf/step_s", seconds},
          {"perf/tokens_per_s", static_cast<double>(tokens) / seconds},
          {"perf/peak_bytes", peak_bytes()}};
}

}  // namespace

bool train(Model& model, AdamW& optimizer, Objective& objective, Attempt& attempt) {
  const auto& spec = attempt.spec;
  auto& state = attempt.state;
  auto& observer = attempt.observer;
  const std::int64_t steps = objective.total_steps();
  const Schedule schedule{.peak = spec.learning_rate(),
                          .decay = spec.schedule(),
                          .warmup = static_cast<std::int64_t>(
                              std::ceil(spec.warmup_ratio() * static_cast<double>(steps))),
                          .steps = steps};
  Guards guards(spec);
  guards.recall(attempt.metrics);
  std::int64_t saved = state.step, steps_here = 0;
  double seconds_here = 0, eta = -1;
  auto last_save = Clock::now();
  const auto leave = [&] {
    if (state.step > saved) save(model, optimizer, objective, attempt);
    return false;
  };

  while (state.step < steps) {
    if (observer.stop_requested()) return leave();
    const auto start = Clock::now();
    const auto plan = objective.begin(model, state.step, observer);
    if (!plan) return leave();
    std::int64_t tokens = 0;
    for (const auto& batch : plan->micro_batches) {
      tokens += objective.accumulate(model, batch);
      observer.progress("train", state.step, steps, eta);  // a sign of life inside long steps
    }
    auto result = objective.finish();
    need_finite(result.loss, "loss", state.step);
    const double rate = schedule.at(state.step);
    const double norm = optimizer.step(rate);
    need_finite(norm, "gradient", state.step);
    refresh_bf16_products(model);
    objective.stepped(model, rate / schedule.peak);
    ++state.step;

    const double seconds = seconds_since(start);
    state.tokens += tokens;
    state.train_s += seconds;
    seconds_here += seconds;
    eta =
        seconds_here / static_cast<double>(++steps_here) * static_cast<double>(steps - state.step);
    auto& values = result.values;
    for (auto& value : common_values(result, *plan, objective.facts(), rate, norm, tokens, seconds))
      values.push_back(std::move(value));
    guards.see(state.step, values, observer);  // before this step's checkpoint: the last good stays
    append_line(attempt.metrics, state.step, values);
    observer.metrics(state.step, steps, eta, values);
    observer.progress("train", state.step, steps, eta);

    const bool by_steps =
        spec.checkpoint_every_steps > 0 && state.step % spec.checkpoint_every_steps == 0;
    const bool by_time =
        spec.checkpoint_every_s > 0 && seconds_since(last_save) >= spec.checkpoint_every_s;
    if (by_steps || by_time || state.step == steps) {
      save(model, optimizer, objective, attempt);
      saved = state.step;
      last_save = Clock::now();
    }
  }
  return true;
}

}  // namespace hone::rl
