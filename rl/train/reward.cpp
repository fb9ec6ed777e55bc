#include "rl/train/reward.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/binary_cross_entropy_with_logits.h>
#include <ATen/ops/cumsum.h>
#include <ATen/ops/full.h>
#include <ATen/ops/softplus.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "rl/formats/files.h"
#include "rl/model/scalar_head.h"
#include "rl/model/score.h"
#include "rl/train/pair_labels.h"
#include "rl/train/steps.h"

namespace hone::rl {
namespace {

constexpr std::int64_t kSmallestCell = 30;  // pairs, for a judge or slice to have its own figure

/// Inverse of softplus.
double raw_of(double value) { return std::log(std::expm1(value)); }

/// Where the learnt cuts begin: the tie that the data's rate of ties asks for, and cuts at 1, 2, 3.
at::Tensor first_cuts(Link link, const std::vector<Pair>& pairs) {
  if (link == Link::RaoKupper) {
    const double rate = std::clamp(tie_rate(pairs), 1e-3, 1 - 1e-3);
    return at::full({1}, raw_of(rk_tau(rate)), at::kFloat);
  }
  if (link == Link::Ordinal) return at::full({3}, raw_of(1), at::kFloat);
  return {};
}

/// +1 or 0 for what is known to be acceptable or not, NaN for what nobody said; chosen, rejected in
/// turn.
at::Tensor acceptable_of(const std::vector<Pair>& pairs, const std::vector<std::int64_t>& rows) {
  auto out = at::full({static_cast<std::int64_t>(rows.size()), 2}, NAN, at::kFloat);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto& pair = pairs[static_cast<std::size_t>(rows[i])];
    if (pair.chosen_acceptable) out.data_ptr<float>()[2 * i] = *pair.chosen_acceptable;
    if (pair.rejected_acceptable) out.data_ptr<float>()[2 * i + 1] = *pair.rejected_acceptable;
  }
  return out;
}

double log_sigmoid(double x) { return -(std::max(-x, 0.0) + std::log1p(std::exp(-std::abs(x)))); }

}  // namespace

RewardObjective::RewardObjective(const TrainSpec& spec, const Base& base)
    : spec_(spec),
      data_(
          read_pairs(spec.data, text_rules(base), pair_options(spec, longest_tokens(spec, base)))),
      facts_(facts_of(data_)),
      order_(facts_.train, spec.batch_size(), spec.seed_of(Stream::Order)),
      link_(link_of(spec.method->name)),
      center_(spec.settings.number("center_coefficient")),
      absolute_(spec.settings.number("absolute_coefficient")) {
  raw_cuts_.value = first_cuts(link_, data_.train);
  if (raw_cuts_.value.defined()) raw_cuts_.grad = at::zeros_like(raw_cuts_.value);
}

std::vector<ShownText> RewardObjective::show(std::int64_t row) const {
  return show_pair(data_.train[static_cast<std::size_t>(row)], ", scored at its last token");
}

Model RewardObjective::load(const Base& base) const {
  auto model = load_model(base.config, *base.weights);
  if (!model.score.value.defined())
    make_score_model(model, Random(spec_.seed_of(Stream::Init), Stream::Init));
  return model;
}

std::vector<NamedWeight> RewardObjective::parameters() {
  if (!raw_cuts_.value.defined()) return {};
  return {{"link.cuts", &raw_cuts_}};
}

at::Tensor RewardObjective::cuts_of(const at::Tensor& raw) const {
  return at::cumsum(at::softplus(raw), 0);
}

std::int64_t RewardObjective::total_steps() const { return steps_of(spec_, order_); }

std::optional<StepPlan> RewardObjective::begin(Model&, std::int64_t step, Observer&) {
  const auto rows = order_.rows_of(step);
  weight_ = weight_of(data_.train, rows);
  pairs_ = static_cast<double>(rows.size());
  marks_ = 0;
  for (const auto row : rows) {
    const auto& pair = data_.train[static_cast<std::size_t>(row)];
    marks_ += pair.chosen_acceptable.has_value() + pair.rejected_acceptable.has_value();
  }
  loss_ = right_ = nll_ = z_ = 0;
  strict_ = tokens_ = 0;
  scores_.clear();
  lengths_.clear();
  return StepPlan{micro_batches(data_.train, rows, spec_.micro_batch_tokens()),
                  static_cast<std::int64_t>(rows.size()), order_.epochs_after(step + 1)};
}

std::int64_t RewardObjective::accumulate(Model& model, const std::vector<std::int64_t>& rows) {
  const auto packed = pack_whole(groups_of(data_.train, rows));
  ScalarTrace trace;
  trace.trunk.checkpointed = spec_.activation_checkpointing();
  auto scores = scalars_at(model, packed, packed.last, &trace).view({-1, 2});  // [B,2]
  scores.set_requires_grad(true);
  const auto z = scores.select(1, 0) - scores.select(1, 1);
  const auto [labels, weight] = labels_of(data_.train, rows, spec_);
  LinkOptions options;
  at::Tensor raw;
  if (raw_cuts_.value.defined()) {
    raw = raw_cuts_.value.detach().clone().set_requires_grad(true);
    options.cuts = cuts_of(raw);
  }
  auto total = (weight * link_loss(link_, z, labels, options)).sum() / weight_;
  if (center_ > 0) total = total + center_ * scores.sum(1).square().sum() / pairs_;
  if (absolute_ > 0 && marks_ > 0) {
    const auto marks = acceptable_of(data_.train, rows);
    const auto known = marks.isfinite();
    total = total + absolute_ / marks_ *
                        at::binary_cross_entropy_with_logits(scores.masked_select(known),
                                                             marks.masked_select(known), {}, {},
                                                             at::Reduction::Sum);
  }
  total.backward();
  if (raw.defined()) raw_cuts_.grad.add_(raw.grad());
  scalars_backward(model, packed, packed.last, scores.grad().reshape({-1}), std::move(trace));

  loss_ += total.item<double>();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto& pair = data_.train[static_cast<std::size_t>(rows[i])];
    const auto at = static_cast<std::int64_t>(i);
    const double d = z[at].item<double>();
    scores_.push_back(scores[at][0].item<double>());
    scores_.push_back(scores[at][1].item<double>());
    lengths_.push_back(static_cast<double>(pair.chosen.size()));
    lengths_.push_back(static_cast<double>(pair.rejected.size()));
    tokens_ += static_cast<std::int64_t>(pair.chosen.size() + pair.rejected.size());
    z_ += d;
    if (pair.tie) continue;
    ++strict_;
    right_ += d > 0 ? 1 : d == 0 ? 0.5 : 0;
    nll_ -= log_sigmoid(d);
  }
  return packed.ids.size(0);
}

StepResult RewardObjective::finish() {
  const auto n = static_cast<double>(std::max<std::int64_t>(strict_, 1));
  const auto count = static_cast<double>(scores_.size());
  const double mean = std::accumulate(scores_.begin(), scores_.end(), 0.0) / count;
  double variance = 0;
  for (const double s : scores_) variance += (s - mean) * (s - mean) / count;
  const auto [low, high] = std::minmax_element(scores_.begin(), scores_.end());
  StepResult out{loss_,
                 tokens_,
                 {{"loss", loss_},
                  {"rm/accuracy", right_ / n},
                  {"rm/nll", nll_ / n},
                  {"rm/z_mean", z_ / pairs_},
                  {"rm/score/mean", mean},
                  {"rm/score/std", std::sqrt(variance)},
                  {"rm/score/min", *low},
                  {"rm/score/max", *high},
                  {"rm/length_corr", correlation(scores_, lengths_)}}};
  if (raw_cuts_.value.defined()) {
    const auto cuts = cuts_of(raw_cuts_.value);
    for (std::int64_t i = 0; i < cuts.numel(); ++i)
      out.values.emplace_back("rm/cut/" + std::to_string(i + 1), cuts[i].item<double>());
  }
  return out;
}

std::optional<HeldOut> RewardObjective::held_out(Model& model, Observer& observer) {
  HeldOut out{.rows = facts_.held_out};
  if (out.rows == 0) return out;
  const auto& pairs = data_.held_out;
  std::vector<double> scores, lengths, z;
  std::int64_t done = 0;
  for (const auto& batch :
       micro_batches(pairs, all_rows(pairs.size()), spec_.micro_batch_tokens())) {
    const auto packed = pack_whole(groups_of(pairs, batch));
    const auto s = scalars_at(model, packed, packed.last);
    for (std::int64_t i = 0; i < s.numel(); ++i) scores.push_back(s[i].item<double>());
    observer.progress("evaluate", done += static_cast<std::int64_t>(batch.size()), out.rows, -1);
    if (observer.stop_requested()) return std::nullopt;
  }
  RankedPairs ranked;
  double right = 0, longer = 0;
  std::map<std::string, std::pair<double, std::int64_t>> cells;  // right, pairs
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const auto& pair = pairs[i];
    lengths.push_back(static_cast<double>(pair.chosen.size()));
    lengths.push_back(static_cast<double>(pair.rejected.size()));
    const double d = scores[2 * i] - scores[2 * i + 1];
    if (pair.tie) continue;
    ranked.z.push_back(d);
    ranked.p.push_back(pair.p);
    const double one = d > 0 ? 1 : d == 0 ? 0.5 : 0;
    right += one;
    const double l = lengths[2 * i] - lengths[2 * i + 1];
    longer += l > 0 ? 1 : l == 0 ? 0.5 : 0;
    const auto count = [&](const std::string& cell) {
      cells[cell].first += one;
      ++cells[cell].second;
    };
    for (const auto judge : pair.judges) count("judge/" + data_.judges[judge]);
    if (!pair.slice.empty()) count("slice/" + pair.slice);
  }
  const auto n = static_cast<double>(ranked.z.size());
  if (n == 0) return out;
  out.accuracy = right / n;
  out.interval = wilson(right, n);

  Fitted fitted;
  fitted.temperature = fit_temperature(ranked);
  const double mean =
      std::accumulate(scores.begin(), scores.end(), 0.0) / static_cast<double>(scores.size());
  double variance = 0;
  for (const double s : scores)
    variance += (s - mean) * (s - mean) / static_cast<double>(scores.size());
  fitted.offset = mean;
  fitted.scale = variance > 0 ? 1 / std::sqrt(variance) : 1;
  fitted.pairs = static_cast<std::int64_t>(ranked.z.size());
  fitted_ = fitted;

  const auto before = ece_of(ranked, 1, spec_.seed),
             after = ece_of(ranked, fitted.temperature, spec_.seed);
  const auto by_length = wilson(longer, n);
  out.values = {{"rm/accuracy", *out.accuracy},
                {"rm/accuracy/longer", longer / n},  // of "always the longer one"
                {"rm/accuracy/longer/low", by_length.low},
                {"rm/accuracy/longer/high", by_length.high},
                {"rm/nll", nll_of(ranked, 1)},
                {"rm/nll/calibrated", nll_of(ranked, fitted.temperature)},
                {"rm/brier", brier_of(ranked, 1)},
                {"rm/brier/calibrated", brier_of(ranked, fitted.temperature)},
                {"rm/ece", before.value},
                {"rm/ece/calibrated", after.value},
                {"rm/ece/calibrated/low", after.interval.low},
                {"rm/ece/calibrated/high", after.interval.high},
                {"rm/temperature", fitted.temperature},
                {"rm/score/mean", mean},
                {"rm/score/std", std::sqrt(variance)},
                {"rm/length_corr", correlation(scores, lengths)}};
  double pooled = 0;
  std::int64_t pooled_pairs = 0;
  for (const auto& [cell, counts] : cells) {
    if (counts.second >= kSmallestCell) {
      out.values.emplace_back("rm/accuracy/" + cell,
                              counts.first / static_cast<double>(counts.second));
    } else {
      pooled += counts.first;
      pooled_pairs += counts.second;
    }
  }
  if (pooled_pairs > 0)
    out.values.emplace_back("rm/accuracy/pooled", pooled / static_cast<double>(pooled_pairs));
  if (fitted.temperature > 2 || fitted.temperature < 0.5)
    observer.message("warning",
                     "the model's confidence is off by a factor of " +
                         std::to_string(fitted.temperature) +
                         " on held-out pairs; the temperature stored with it corrects that");
  return out;
}

void RewardObjective::leave(const std::filesystem::path& hone) const {
  const auto f = fitted_.value_or(Fitted{});
  nlohmann::ordered_json json = {
      {"offset", f.offset},
      {"scale", f.scale},
      {"temperature", f.temperature},
      {"fitted_on", {{"rows", "held-out pairs, both answers of each"}, {"pairs", f.pairs}}},
      {"reward", "(score - offset) * scale"},
      {"probability", "sigma((score_a - score_b) / temperature)"}};
  if (raw_cuts_.value.defined()) {
    const auto cuts = cuts_of(raw_cuts_.value);
    for (std::int64_t i = 0; i < cuts.numel(); ++i) json["cuts"].push_back(cuts[i].item<double>());
  }
  write_file(hone / "reward.json", json.dump(2) + "\n");
}

}  // namespace hone::rl
