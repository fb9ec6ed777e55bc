#include "rl/train/unpaired.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <numeric>

#include "rl/model/score.h"
#include "rl/train/steps.h"

namespace hone::rl {
namespace {

DataFacts facts_of(const UnpairedData& data) {
  DataFacts f{.sha256 = data.sha256,
              .rows_name = "judged answers",
              .train = static_cast<std::int64_t>(data.train.size()),
              .held_out = static_cast<std::int64_t>(data.held_out.size()),
              .counts = {{"ties", data.ties},
                         {"both_bad", data.both_bad},
                         {"too_long", data.too_long},
                         {"several_turns", data.several_turns},
                         {"duplicates", data.duplicates},
                         {"leaked_prompts", data.leaked_prompts}},
              .dropped = data.dropped(),
              .boundary_merges = data.boundary_merges,
              .leaked_prompts = data.leaked_prompts,
              .leaked_line = data.leaked_line};
  for (const auto& row : data.train) {
    const auto tokens = static_cast<std::int64_t>(row.prompt.size() + row.response.size());
    f.longest = std::max(f.longest, tokens);
    f.tokens += tokens;
    f.loss_tokens += static_cast<std::int64_t>(row.response.size());
  }
  return f;
}

std::vector<Group> groups_of(const std::vector<UnpairedRow>& data,
                             const std::vector<std::int64_t>& rows) {
  std::vector<Group> groups;
  for (const auto row : rows) {
    const auto& one = data[static_cast<std::size_t>(row)];
    groups.push_back({one.prompt, {one.response}});
  }
  return groups;
}

/// Each row's prompt with the answer of the next row of the step that has another prompt; rows of a
/// step with one prompt have none.
std::vector<Group> mismatched(const std::vector<UnpairedRow>& data,
                              const std::vector<std::int64_t>& rows) {
  std::vector<Group> groups;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto& own = data[static_cast<std::size_t>(rows[i])];
    for (std::size_t k = 1; k < rows.size(); ++k) {
      const auto& other = data[static_cast<std::size_t>(rows[(i + k) % rows.size()])];
      if (other.prompt == own.prompt) continue;
      groups.push_back({own.prompt, {other.response}});
      break;
    }
  }
  return groups;
}

/// Runs of groups of at most `max_tokens` trunk tokens.
std::vector<std::vector<std::int64_t>> runs_of(const std::vector<Group>& groups,
                                               std::int64_t max_tokens) {
  return micro_batches(all_rows(groups.size()), max_tokens,
                       [&](std::size_t i) { return packed_tokens(groups[i]); });
}

/// [B] of a number for each row.
template <class Number>
at::Tensor column(const std::vector<UnpairedRow>& data, const std::vector<std::int64_t>& rows,
                  const Number& number) {
  auto out = at::empty({static_cast<std::int64_t>(rows.size())}, at::kFloat);
  for (std::size_t i = 0; i < rows.size(); ++i)
    out.data_ptr<float>()[i] = static_cast<float>(number(data[static_cast<std::size_t>(rows[i])]));
  return out;
}

}  // namespace

UnpairedObjective::UnpairedObjective(const TrainSpec& spec, const Base& base)
    : spec_(spec),
      data_(read_unpaired(spec.data, text_rules(base), {.max_tokens = longest_tokens(spec, base)})),
      facts_(facts_of(data_)),
      order_(facts_.train, spec.batch_size(), spec.seed_of(Stream::Order)),
      options_{spec.settings.number("beta"), spec.settings.number("lambda_desirable"),
               spec.settings.number("lambda_undesirable")},
      anchored_(spec.method->name == "kto.apo_zero") {}

std::vector<ShownText> UnpairedObjective::show(std::int64_t row) const {
  const auto& one = data_.train[static_cast<std::size_t>(row)];
  return {shown(one.desirable ? "a good answer" : "a bad answer", one.line, one.prompt,
                one.response, one.desirable ? Mark::Learnt : Mark::Against)};
}

std::int64_t UnpairedObjective::total_steps() const { return steps_of(spec_, order_); }

at::Tensor UnpairedObjective::sums_of(const Model& model, const std::vector<Group>& groups,
                                      const char* stage, Observer& observer) const {
  auto out = at::empty({static_cast<std::int64_t>(groups.size())}, at::kFloat);
  std::int64_t done = 0;
  for (const auto& run : runs_of(groups, spec_.micro_batch_tokens())) {
    const auto first = static_cast<std::size_t>(run.front());
    const auto packed = pack(std::span(groups).subspan(first, run.size()));
    out.narrow(0, run.front(), static_cast<std::int64_t>(run.size()))
        .copy_(sum_by_response(response_logprobs(model, packed), packed));
    done += static_cast<std::int64_t>(run.size());
    observer.progress(stage, done, out.size(0), -1);
    if (observer.stop_requested()) return {};
  }
  return out;
}

/// The reference's numbers are all known beforehand: which answers a step pairs with which prompts
/// is a function of the seed, so no second model stays in memory.
bool UnpairedObjective::prepare(Model& model, const SafetensorsFile* checkpoint,
                                Observer& observer) {
  std::vector<Group> partners;
  mismatched_from_ = {0};
  if (!anchored_)
    for (std::int64_t step = 0; step < total_steps(); ++step) {
      for (auto& group : mismatched(data_.train, order_.rows_of(step)))
        partners.push_back(std::move(group));
      mismatched_from_.push_back(static_cast<std::int64_t>(partners.size()));
    }
  if (checkpoint) {
    reference_ = checkpoint->read("reference.train");
    held_out_reference_ = checkpoint->read("reference.held_out");
    mismatched_reference_ = checkpoint->read("reference.mismatched");
    return true;
  }
  model.adapters_on = false;
  reference_ =
      sums_of(model, groups_of(data_.train, all_rows(data_.train.size())), "reference", observer);
  if (reference_.defined())
    held_out_reference_ = sums_of(model, groups_of(data_.held_out, all_rows(data_.held_out.size())),
                                  "reference", observer);
  if (held_out_reference_.defined())
    mismatched_reference_ = sums_of(model, partners, "reference", observer);
  model.adapters_on = true;
  return mismatched_reference_.defined();
}

NamedTensors UnpairedObjective::state() const {
  return {{"reference.train", reference_},
          {"reference.held_out", held_out_reference_},
          {"reference.mismatched", mismatched_reference_}};
}

std::optional<StepPlan> UnpairedObjective::begin(Model& model, std::int64_t step,
                                                 Observer& observer) {
  const auto rows = order_.rows_of(step);
  weight_ = loss_ = z0_ = 0;
  tokens_ = 0;
  for (const int good : {0, 1}) reward_[good] = logp_[good] = 0, count_[good] = 0;
  for (const auto row : rows) {
    const auto& one = data_.train[static_cast<std::size_t>(row)];
    weight_ += one.weight;
    tokens_ += static_cast<std::int64_t>(one.response.size());
  }
  if (!anchored_) {  // of the whole step, before its first pass: no split changes it
    const auto from = mismatched_from_[static_cast<std::size_t>(step)];
    const auto policy = sums_of(model, mismatched(data_.train, rows), "train", observer);
    if (!policy.defined()) return std::nullopt;
    z0_ = kto_z0(policy - mismatched_reference_.narrow(0, from, policy.size(0)));
  }
  StepPlan plan{{}, static_cast<std::int64_t>(rows.size()), order_.epochs_after(step + 1)};
  for (auto& run : runs_of(groups_of(data_.train, rows), spec_.micro_batch_tokens())) {
    for (auto& i : run) i = rows[static_cast<std::size_t>(i)];
    plan.micro_batches.push_back(std::move(run));
  }
  return plan;
}

at::Tensor UnpairedObjective::loss_of(const at::Tensor& h, const at::Tensor& desirable) const {
  return anchored_ ? kto_apo_zero(h, desirable, options_) : kto_loss(h, desirable, z0_, options_);
}

std::int64_t UnpairedObjective::accumulate(Model& model, const std::vector<std::int64_t>& rows) {
  const auto packed = pack(groups_of(data_.train, rows));
  ScoreTrace trace;
  trace.trunk.checkpointed = spec_.activation_checkpointing();
  const auto logps = response_logprobs(model, packed, {}, &trace);
  auto sums = sum_by_response(logps, packed).set_requires_grad(true);  // [B]
  const auto weight = column(data_.train, rows, [](const UnpairedRow& r) { return r.weight; });
  const auto desirable =
      column(data_.train, rows, [](const UnpairedRow& r) { return r.desirable; });
  const auto h = sums - pick_rows(reference_, rows);
  const auto loss = (weight * loss_of(h, desirable)).sum() / weight_;
  loss.backward();
  response_logprobs_backward(model, packed, spread_over_tokens(sums.grad(), packed), {},
                             std::move(trace));
  loss_ += loss.item<double>();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const int good = data_.train[static_cast<std::size_t>(rows[i])].desirable;
    const auto at = static_cast<std::int64_t>(i);
    reward_[good] += options_.beta * h[at].item<double>();
    logp_[good] += sums[at].item<double>();
    ++count_[good];
  }
  return packed.ids.size(0);
}

StepResult UnpairedObjective::finish() {
  StepResult out{loss_, tokens_, {{"loss", loss_}}};
  if (!anchored_) out.values.emplace_back("kto/z0", z0_);
  constexpr const char* kSides[] = {"rejected", "chosen"};
  for (const int good : {1, 0})
    if (count_[good] > 0) {
      const auto n = static_cast<double>(count_[good]);
      out.values.emplace_back("pref/reward/" + std::string(kSides[good]), reward_[good] / n);
      out.values.emplace_back("pref/logp/" + std::string(kSides[good]), logp_[good] / n);
    }
  return out;
}

/// The rewards of good and bad answers, and how often a good one is above a bad one (the area under
/// the curve): no pair was ever compared.
std::optional<HeldOut> UnpairedObjective::held_out(Model& model, Observer& observer) {
  HeldOut out{.rows = facts_.held_out, .rows_name = "answers"};
  if (out.rows == 0) return out;
  const auto policy = sums_of(model, groups_of(data_.held_out, all_rows(data_.held_out.size())),
                              "evaluate", observer);
  if (!policy.defined()) return std::nullopt;
  const auto h = policy - held_out_reference_;
  std::vector<double> sides[2];
  for (std::size_t i = 0; i < data_.held_out.size(); ++i)
    sides[data_.held_out[i].desirable].push_back(options_.beta *
                                                 h[static_cast<std::int64_t>(i)].item<double>());
  double above = 0;
  for (const double good : sides[1])
    for (const double bad : sides[0]) above += good > bad ? 1 : good == bad ? 0.5 : 0;
  const auto mean = [](const std::vector<double>& v) {
    return std::accumulate(v.begin(), v.end(), 0.0) / static_cast<double>(v.size());
  };
  if (!sides[1].empty()) out.values.emplace_back("pref/reward/chosen", mean(sides[1]));
  if (!sides[0].empty()) out.values.emplace_back("pref/reward/rejected", mean(sides[0]));
  if (!sides[0].empty() && !sides[1].empty())
    out.values.emplace_back("pref/auc",
                            above / static_cast<double>(sides[0].size() * sides[1].size()));
  return out;
}

}  // namespace hone::rl
