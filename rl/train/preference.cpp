#include "rl/train/preference.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/ones_like.h>

#include <algorithm>

#include "feedback/base/error.h"
#include "rl/loss/dpo.h"
#include "rl/model/score.h"
#include "rl/train/steps.h"

namespace hone::rl {
namespace {

at::Tensor gather(const at::Tensor& values, const std::vector<std::int64_t>& rows) {
  auto out = at::empty({static_cast<std::int64_t>(rows.size())}, at::kFloat);
  for (std::size_t i = 0; i < rows.size(); ++i)
    out.data_ptr<float>()[i] = values.const_data_ptr<float>()[rows[i]];
  return out;
}

DataFacts facts_of(const PairData& data) {
  DataFacts f{.sha256 = data.sha256,
              .rows_name = "preference pairs",
              .train = static_cast<std::int64_t>(data.train.size()),
              .held_out = static_cast<std::int64_t>(data.held_out.size()),
              .counts = {{"ties", data.ties},
                         {"too_long", data.too_long},
                         {"several_turns", data.several_turns}},
              .dropped = data.dropped(),
              .boundary_merges = data.boundary_merges};
  for (const auto& pair : data.train)
    f.longest = std::max(f.longest, static_cast<std::int64_t>(pair.prompt.size() +
                                                              pair.chosen.size() +
                                                              pair.rejected.size()));
  return f;
}

}  // namespace

PreferenceObjective::PreferenceObjective(const TrainSpec& spec, const Base& base)
    : spec_(spec),
      base_sha256_(base.sha256),
      data_(read_pairs(spec.data, text_rules(base), longest_tokens(spec, base))),
      facts_(facts_of(data_)),
      order_(facts_.train, spec.batch_size(), spec.seed) {}

std::int64_t PreferenceObjective::total_steps() const { return steps_of(spec_, order_); }

bool PreferenceObjective::prepare(Model& model, const SafetensorsFile* checkpoint,
                                  Observer& observer) {
  auto found = kept_references(spec_, base_sha256_, data_, checkpoint);
  if (!found) found = compute_references(model, spec_, base_sha256_, data_, observer);
  if (!found) return false;
  reference_ = found->train;
  held_out_reference_ = found->held_out;
  return true;
}

std::optional<StepPlan> PreferenceObjective::begin(Model&, std::int64_t step, Observer&) {
  const auto rows = order_.rows_of(step);
  pairs_ = static_cast<std::int64_t>(rows.size());
  metrics_ = {};
  return StepPlan{micro_batches(data_.train, rows, spec_.micro_batch_tokens()), pairs_,
                  order_.epochs_after(step + 1)};
}

std::int64_t PreferenceObjective::accumulate(Model& model, const std::vector<std::int64_t>& rows) {
  const auto packed = pack(groups_of(data_.train, rows));
  ScoreTrace trace;
  trace.trunk.checkpointed = spec_.activation_checkpointing();
  const auto logps = response_logprobs(model, packed, {}, &trace);                   // [N]
  auto sums = sum_by_response(logps, packed).view({-1, 2}).set_requires_grad(true);  // [B,2]
  const auto chosen = sums.select(1, 0), rejected = sums.select(1, 1);
  const auto ref_chosen = gather(reference_.chosen, rows),
             ref_rejected = gather(reference_.rejected, rows);
  const auto out = dpo_loss(chosen, rejected, ref_chosen, ref_rejected, at::ones_like(ref_chosen),
                            {.beta = spec_.settings.number("beta")});
  // Over the pairs of the whole step: any split into micro-batches, one gradient.
  (out.per_pair.sum() / static_cast<double>(pairs_)).backward();
  response_logprobs_backward(model, packed, spread_over_tokens(sums.grad().reshape({-1}), packed),
                             {}, std::move(trace));
  metrics_.add(out, chosen, rejected, lengths_of(data_.train, rows));
  return packed.ids.size(0);
}

StepResult PreferenceObjective::finish() {
  return {metrics_.loss(), metrics_.loss_tokens(), metrics_.values()};
}

NamedTensors PreferenceObjective::state() const {
  return References{reference_, held_out_reference_}.tensors();
}

std::optional<HeldOut> PreferenceObjective::held_out(Model& model, Observer& observer) {
  HeldOut out{.rows = facts_.held_out};
  if (out.rows == 0) return out;
  const auto policy =
      score_pairs(model, data_.held_out, spec_.micro_batch_tokens(), [&](std::int64_t done) {
        observer.progress("evaluate", done, out.rows, -1);
        return observer.stop_requested();
      });
  if (!policy.chosen.defined()) return std::nullopt;
  const auto& reference = held_out_reference_;
  const auto loss =
      dpo_loss(policy.chosen, policy.rejected, reference.chosen, reference.rejected,
               at::ones_like(policy.chosen), {.beta = spec_.settings.number("beta")});
  PairMetrics metrics;
  metrics.add(loss, policy.chosen, policy.rejected, lengths_of(data_.held_out));
  out.values = metrics.values();
  out.accuracy = metrics.accuracy();
  out.interval = wilson(*out.accuracy * static_cast<double>(out.rows), static_cast<double>(out.rows));
  return out;
}

}  // namespace hone::rl
