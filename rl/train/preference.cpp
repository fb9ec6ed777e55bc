#include "rl/train/preference.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/stack.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "feedback/base/error.h"
#include "rl/model/score.h"
#include "rl/train/pair_labels.h"
#include "rl/train/steps.h"

namespace hone::rl {
namespace {

at::Tensor lengths_of(const std::vector<Pair>& pairs, const std::vector<std::int64_t>& rows,
                      Ids Pair::*side) {
  auto out = at::empty({static_cast<std::int64_t>(rows.size())}, at::kFloat);
  for (std::size_t i = 0; i < rows.size(); ++i)
    out.data_ptr<float>()[i] =
        static_cast<float>((pairs[static_cast<std::size_t>(rows[i])].*side).size());
  return out;
}

PreferenceForm form_of(const std::string& name) {
  constexpr std::pair<const char*, PreferenceForm> kForms[] = {
      {"dpo.sigmoid.mean", PreferenceForm::DpoMean},
      {"ipo.sum", PreferenceForm::IpoSum},
      {"ipo.mean", PreferenceForm::IpoMean},
      {"apo.zero", PreferenceForm::ApoZero},
      {"apo.down", PreferenceForm::ApoDown},
      {"sppo.hard", PreferenceForm::SppoHard},
      {"nca", PreferenceForm::Nca},
      {"simpo", PreferenceForm::Simpo},
      {"orpo", PreferenceForm::Orpo}};
  for (const auto& [known, form] : kForms)
    if (name == known) return form;
  return PreferenceForm::Dpo;
}

/// Half the width of a tie: given, or that at which equal answers tie as often as the data does.
at::Tensor tau_of(const TrainSpec& spec, const std::vector<Pair>& pairs) {
  constexpr double kLeast = 1e-3;
  const double rate = std::clamp(tie_rate(pairs), kLeast, 1 - kLeast);
  return at::full({1}, spec.settings.find_number("tau").value_or(rk_tau(rate)), at::kFloat);
}

PreferenceOptions options_of(const TrainSpec& spec, const std::vector<Pair>& pairs) {
  const auto number = [&](const char* name, double none) {
    return spec.settings.has(name) ? spec.settings.number(name) : none;
  };
  PreferenceOptions o{.form = form_of(spec.method->name),
                      .link = link_of(spec.method->name),
                      .beta = number("beta", 0.1),
                      .gamma = number("gamma", 0),
                      .lambda = number("lambda", 0.1),
                      .link_options = {}};
  if (o.link == Link::RaoKupper) o.link_options.cuts = tau_of(spec, pairs);
  return o;
}

}  // namespace

PreferenceObjective::PreferenceObjective(const TrainSpec& spec, const Base& base)
    : spec_(spec),
      base_sha256_(base.sha256),
      data_(
          read_pairs(spec.data, text_rules(base), pair_options(spec, longest_tokens(spec, base)))),
      facts_(facts_of(data_)),
      order_(facts_.train, spec.batch_size(), spec.seed_of(Stream::Order)),
      options_(options_of(spec, data_.train)),
      nll_coefficient_(
          spec.settings.has("nll_coefficient") ? spec.settings.number("nll_coefficient") : 0) {}

std::vector<ShownText> PreferenceObjective::show(std::int64_t row) const {
  return show_pair(data_.train[static_cast<std::size_t>(row)]);
}

std::int64_t PreferenceObjective::total_steps() const { return steps_of(spec_, order_); }

bool PreferenceObjective::prepare(Model& model, const SafetensorsFile* checkpoint,
                                  Observer& observer) {
  if (!feedback::has_reference(*spec_.method)) return true;
  auto found = kept_references(spec_, base_sha256_, data_, checkpoint);
  if (!found) found = compute_references(model, spec_, base_sha256_, data_, observer);
  if (!found) return false;
  reference_ = found->train;
  held_out_reference_ = found->held_out;
  return true;
}

std::optional<StepPlan> PreferenceObjective::begin(Model&, std::int64_t step, Observer&) {
  const auto rows = order_.rows_of(step);
  weight_ = weight_of(data_.train, rows);
  chosen_tokens_ = 0;
  for (const auto row : rows)
    chosen_tokens_ +=
        static_cast<std::int64_t>(data_.train[static_cast<std::size_t>(row)].chosen.size());
  metrics_ = {};
  return StepPlan{micro_batches(data_.train, rows, spec_.micro_batch_tokens()),
                  static_cast<std::int64_t>(rows.size()), order_.epochs_after(step + 1)};
}

PreferenceLoss PreferenceObjective::loss_of(const std::vector<Pair>& pairs,
                                            const std::vector<std::int64_t>& rows,
                                            const at::Tensor& sums, const ReferenceLogps& reference,
                                            const PairLabels& labels) const {
  return preference_loss({sums.select(1, 0), pick_rows(reference.chosen, rows),
                          lengths_of(pairs, rows, &Pair::chosen)},
                         {sums.select(1, 1), pick_rows(reference.rejected, rows),
                          lengths_of(pairs, rows, &Pair::rejected)},
                         labels, options_);
}

std::int64_t PreferenceObjective::accumulate(Model& model, const std::vector<std::int64_t>& rows) {
  const auto packed = pack(groups_of(data_.train, rows));
  ScoreTrace trace;
  trace.trunk.checkpointed = spec_.activation_checkpointing();
  const auto logps = response_logprobs(model, packed, {}, &trace);                   // [N]
  auto sums = sum_by_response(logps, packed).view({-1, 2}).set_requires_grad(true);  // [B,2]
  const auto [labels, weight] = labels_of(data_.train, rows, spec_);
  const auto loss = loss_of(data_.train, rows, sums, reference_, labels);
  // Over the pairs of the whole step: any split into micro-batches, one gradient.
  auto total = (weight * loss.per_pair).sum() / weight_;
  if (nll_coefficient_ > 0)
    total =
        total - nll_coefficient_ * sums.select(1, 0).sum() / static_cast<double>(chosen_tokens_);
  total.backward();
  response_logprobs_backward(model, packed, spread_over_tokens(sums.grad().reshape({-1}), packed),
                             {}, std::move(trace));
  metrics_.add(loss, weight, sums.select(1, 0), sums.select(1, 1), data_.train, rows);
  return packed.ids.size(0);
}

StepResult PreferenceObjective::finish() {
  return {metrics_.loss(nll_coefficient_), metrics_.loss_tokens(),
          metrics_.values(nll_coefficient_)};
}

NamedTensors PreferenceObjective::state() const {
  if (!reference_.chosen.defined()) return {};
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
  const auto rows = all_rows(data_.held_out.size());
  const auto [labels, weight] = labels_of(data_.held_out, rows, spec_);
  const auto loss = loss_of(data_.held_out, rows, at::stack({policy.chosen, policy.rejected}, 1),
                            held_out_reference_, labels);
  PairMetrics metrics;
  metrics.add(loss, weight, policy.chosen, policy.rejected, data_.held_out, rows);
  out.values = metrics.values(nll_coefficient_);
  if (metrics.strict() > 0) {
    out.accuracy = metrics.accuracy();
    out.interval = wilson(metrics.right(), static_cast<double>(metrics.strict()));
  }
  return out;
}

}  // namespace hone::rl
