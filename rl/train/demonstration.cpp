#include "rl/train/demonstration.h"

#include <ATen/ops/full_like.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "rl/train/steps.h"

namespace hone::rl {

Packed pack_demonstrations(const std::vector<DemonstrationRow>& data,
                           const std::vector<std::int64_t>& rows) {
  std::vector<Group> groups;
  std::vector<std::uint8_t> learnt;
  for (const auto row : rows) {
    const auto& one = data[static_cast<std::size_t>(row)];
    const auto first = std::find(one.mask.begin(), one.mask.end(), 1) - one.mask.begin();
    // All before the first learnt token is the prompt: the head does not see it.
    groups.push_back({Ids(one.ids.begin(), one.ids.begin() + first),
                      {Ids(one.ids.begin() + first, one.ids.end())}});
    learnt.insert(learnt.end(), one.mask.begin() + first, one.mask.end());
  }
  auto packed = pack(groups);
  keep_targets(packed, learnt);
  return packed;
}

std::vector<std::vector<std::int64_t>> micro_batches(const std::vector<DemonstrationRow>& data,
                                                     const std::vector<std::int64_t>& rows,
                                                     std::int64_t max_tokens) {
  return micro_batches(rows, max_tokens, [&](std::size_t row) {
    return static_cast<std::int64_t>(data[row].ids.size()) - 1;
  });
}

std::int64_t learnt_tokens(const std::vector<DemonstrationRow>& data,
                           const std::vector<std::int64_t>& rows) {
  std::int64_t tokens = 0;
  for (const auto row : rows) {
    const auto& mask = data[static_cast<std::size_t>(row)].mask;
    tokens += std::count(mask.begin(), mask.end(), 1);
  }
  return tokens;
}

DataFacts facts_of(const DemonstrationData& data) {
  DataFacts f{.sha256 = data.sha256,
              .rows_name = "conversations",
              .train = static_cast<std::int64_t>(data.train.size()),
              .held_out = static_cast<std::int64_t>(data.held_out.size()),
              .counts = {{"too_long", data.too_long},
                         {"undesirable", data.undesirable},
                         {"several_turns", data.several_turns},
                         {"cut", data.cut},
                         {"duplicates", data.duplicates},
                         {"leaked_prompts", data.leaked_prompts}},
              .dropped = data.dropped(),
              .cut = data.cut,
              .boundary_merges = data.boundary_merges,
              .leaked_prompts = data.leaked_prompts,
              .leaked_line = data.leaked_line};
  for (const auto& row : data.train) {
    const auto tokens = static_cast<std::int64_t>(row.ids.size());
    f.longest = std::max(f.longest, tokens);
    f.tokens += tokens;
    f.loss_tokens += std::count(row.mask.begin(), row.mask.end(), 1);
  }
  return f;
}

ShownText show_demonstration(const DemonstrationRow& row) {
  ShownText out{"learnt where marked", row.line, row.ids, {}};
  bool begun = false;
  for (const auto learnt : row.mask) {
    begun = begun || learnt;
    out.marks.push_back(learnt ? Mark::Learnt : begun ? Mark::Masked : Mark::Given);
  }
  return out;
}

DemonstrationObjective::DemonstrationObjective(const TrainSpec& spec, const Base& base)
    : spec_(spec),
      data_(read_demonstrations(spec.data, text_rules(base),
                                {.max_tokens = longest_tokens(spec, base)})),
      facts_(facts_of(data_)),
      order_(facts_.train, spec.batch_size(), spec.seed_of(Stream::Order)) {}

std::vector<ShownText> DemonstrationObjective::show(std::int64_t row) const {
  return {show_demonstration(data_.train[static_cast<std::size_t>(row)])};
}

std::int64_t DemonstrationObjective::total_steps() const { return steps_of(spec_, order_); }

std::optional<StepPlan> DemonstrationObjective::begin(Model&, std::int64_t step, Observer&) {
  const auto rows = order_.rows_of(step);
  tokens_ = learnt_tokens(data_.train, rows);
  nll_ = entropy_ = right_ = 0;
  return StepPlan{micro_batches(data_.train, rows, spec_.micro_batch_tokens()),
                  static_cast<std::int64_t>(rows.size()), order_.epochs_after(step + 1)};
}

std::int64_t DemonstrationObjective::accumulate(Model& model,
                                                const std::vector<std::int64_t>& rows) {
  const auto packed = pack_demonstrations(data_.train, rows);
  ScoreTrace trace;
  trace.trunk.checkpointed = spec_.activation_checkpointing();
  at::Tensor entropy, likeliest;
  const auto lp = response_logprobs(model, packed, {}, &trace, &entropy, &likeliest);  // [N]
  nll_ -= lp.sum(at::kDouble).item<double>();
  entropy_ += entropy.sum(at::kDouble).item<double>();
  right_ += likeliest.sum(at::kDouble).item<double>();
  // -lp over the tokens of the whole step: its gradient is one number.
  response_logprobs_backward(model, packed, at::full_like(lp, -1.0 / static_cast<double>(tokens_)),
                             {}, std::move(trace));
  return packed.ids.size(0);
}

StepResult DemonstrationObjective::finish() {
  const auto n = static_cast<double>(tokens_);
  return {nll_ / n,
          tokens_,
          {{"loss", nll_ / n},
           {"sft/nll", nll_ / n},
           {"sft/token_accuracy", right_ / n},
           {"sft/entropy", entropy_ / n}}};
}

std::optional<HeldOut> DemonstrationObjective::held_out(Model& model, Observer& observer) {
  HeldOut out{.rows = facts_.held_out, .rows_name = "conversations"};
  if (out.rows == 0) return out;
  const auto rows = all_rows(data_.held_out.size());
  double nll = 0, right = 0;
  std::int64_t done = 0;
  for (const auto& batch : micro_batches(data_.held_out, rows, spec_.micro_batch_tokens())) {
    at::Tensor likeliest;
    nll -= response_logprobs(model, pack_demonstrations(data_.held_out, batch), {}, nullptr,
                             nullptr, &likeliest)
               .sum(at::kDouble)
               .item<double>();
    right += likeliest.sum(at::kDouble).item<double>();
    observer.progress("evaluate", done += static_cast<std::int64_t>(batch.size()), out.rows, -1);
    if (observer.stop_requested()) return std::nullopt;
  }
  const auto n = static_cast<double>(learnt_tokens(data_.held_out, rows));
  nll /= n;
  out.values = {
      {"sft/nll", nll}, {"sft/perplexity", std::exp(nll)}, {"sft/token_accuracy", right / n}};
  return out;
}

}  // namespace hone::rl
