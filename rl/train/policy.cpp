#include "rl/train/policy.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <limits>
#include <numeric>
#include <set>

#include "feedback/base/error.h"
#include "rl/engine/sampler.h"
#include "rl/loss/adaptive_kl.h"
#include "rl/model/scalar_head.h"
#include "rl/model/score.h"
#include "rl/train/advantages_of.h"
#include "rl/train/failure.h"
#include "rl/train/memory.h"
#include "rl/train/steps.h"

namespace hone::rl {
namespace {

constexpr double kUnscored = std::numeric_limits<double>::quiet_NaN();
constexpr double kMostUnscored = 0.05;           // of a rollout, before the run stops
constexpr std::uint64_t kGoldSeed = 0x676f6c64;  // measurements draw apart from training

template <class T>
struct Named {
  const char* name;
  T value;
};
template <class T, std::size_t n>
T one_of(const std::string& word, const Named<T> (&all)[n]) {
  for (const auto& one : all)
    if (word == one.name) return one.value;
  throw std::logic_error("no " + word);
}

double mean_scored(const Rollout& r) {
  std::vector<double> scored;
  std::ranges::copy_if(r.scores, std::back_inserter(scored),
                       [](double s) { return !std::isnan(s); });
  return spread_of(scored).mean;
}

PolicyOptions options_of(const feedback::Settings& s) {
  PolicyOptions o;
  o.ratio = one_of<Ratio>(
      s.word("ratio"),
      {{"token", Ratio::Token}, {"seq_mean", Ratio::SeqMean}, {"seq_sum", Ratio::SeqSum}});
  o.surrogate = {.clip_low = s.number("clip_low"),
                 .clip_high = s.number("clip_high"),
                 .dual = s.find_number("dual_clip").value_or(0),
                 .cispo = s.word("surrogate") == "cispo",
                 .cispo_min = 0,
                 .cispo_max = s.number("cispo_max")};
  o.kl_place = one_of<KlPlace>(s.word("kl_place"), {{"none", KlPlace::None},
                                                    {"reward", KlPlace::Reward},
                                                    {"reward_pre", KlPlace::RewardPre},
                                                    {"reward_post", KlPlace::RewardPost},
                                                    {"loss", KlPlace::Loss}});
  o.kl_estimator =
      one_of<KlEstimator>(s.word("kl_estimator"), {{"k1", KlEstimator::K1},
                                                   {"k2", KlEstimator::K2},
                                                   {"k3", KlEstimator::K3},
                                                   {"k3_grad_k2", KlEstimator::K3GradK2}});
  o.kl_coefficient = s.number("kl_coefficient");
  return o;
}

SamplerCorrection correction_of(const feedback::Settings& s) {
  return one_of<SamplerCorrection>(s.word("sampler_correction"),
                                   {{"off", SamplerCorrection::Off},
                                    {"token_truncate", SamplerCorrection::TokenTruncate},
                                    {"sequence_mask", SamplerCorrection::SequenceMask}});
}

Aggregation aggregation_of(const feedback::Settings& s) {
  return one_of<Aggregation>(s.word("aggregation"),
                             {{"token_mean", Aggregation::TokenMean},
                              {"seq_mean_token_mean", Aggregation::SeqMeanTokenMean},
                              {"seq_mean_token_sum", Aggregation::SeqMeanTokenSum},
                              {"seq_mean_token_sum_norm", Aggregation::SeqMeanTokenSumNorm},
                              {"seq_mean", Aggregation::SeqMean}});
}

/// Combinations that train something else than their names say.
void check_axes(const TrainSpec& spec) {
  const auto& s = spec.settings;
  const auto refuse = [](const char* field, const std::string& why) {
    throw Error(Code::Invalid, "hyperparameters." + std::string(field) + " " + why,
                "hyperparameters." + std::string(field));
  };
  const auto& advantage = s.word("advantage");
  const bool group = advantage.starts_with("group");
  const bool critic = advantage == "gae";
  if (critic && !s.has("value_clip"))
    refuse("advantage", "gae needs a value network, which ppo alone has");
  if (!critic && s.has("value_clip"))
    refuse("advantage", "of ppo is gae; the group methods have the others");
  if (group && s.integer("group_size") < 2)
    refuse("group_size", "must be 2 or more: an answer is compared with the others of its prompt");
  if (s.word("kl_place") == "loss" && s.word("kl_estimator") == "k1")
    refuse("kl_estimator",
           "k1 in the loss has a gradient of zero on average; take k2, k3 or k3_grad_k2");
  if (s.word("kl_place") == "reward" && group)
    refuse("kl_place",
           "reward is per token, for gae and whitened_return; groups take reward_pre or "
           "reward_post");
  if (!spec.reward)
    throw Error(Code::Invalid, "reward is missing: what the drawn answers are worth", "reward");
}

/// Tokens that a prompt may have, for an answer to have all that it may.
std::int64_t longest_prompt(const TrainSpec& spec, const Base& base) {
  const auto whole = longest_tokens(spec, base), answer = spec.settings.integer("max_new_tokens");
  if (answer < whole) return whole - answer;
  throw Error(Code::Invalid,
              "hyperparameters.max_new_tokens must leave room for a prompt: prompt and answer may "
              "have " +
                  std::to_string(whole) +
                  " tokens together (max_tokens, and the base's "
                  "positions), and an answer alone " +
                  std::to_string(answer),
              "hyperparameters.max_new_tokens");
}

bool wants_reference(const feedback::Settings& s) {
  return s.word("kl_place") != "none" || s.number("kl_budget") > 0;
}

}  // namespace

PolicyObjective::PolicyObjective(const TrainSpec& spec, const Base& base)
    : spec_(spec),
      base_(base),
      rules_(text_rules(base)),
      data_(read_prompt_rows(spec.data, rules_, {.max_tokens = longest_prompt(spec, base) + 1})),
      order_(static_cast<std::int64_t>(data_.train.size()), spec.batch_size(),
             spec.seed_of(Stream::Order)),
      options_(options_of(spec.settings)),
      correction_(correction_of(spec.settings)),
      aggregation_(aggregation_of(spec.settings)),
      group_size_(spec.settings.integer("group_size")),
      rollout_epochs_(spec.settings.integer("rollout_epochs")),
      minibatches_(spec.settings.integer("minibatches")),
      max_new_tokens_(spec.settings.integer("max_new_tokens")),
      temperature_(spec.settings.number("temperature")),
      wants_reference_(wants_reference(spec.settings)),
      kl_coefficient_(options_.kl_coefficient) {
  check_axes(spec);
  facts_ = {.sha256 = data_.sha256,
            .rows_name = "prompts",
            .train = static_cast<std::int64_t>(data_.train.size()),
            .held_out = static_cast<std::int64_t>(data_.held_out.size()),
            .counts = {{"too_long", data_.too_long},
                       {"repeated", data_.repeated},
                       {"duplicates", data_.duplicates},
                       {"leaked_prompts", data_.leaked_prompts}},
            .dropped = data_.dropped(),
            .leaked_prompts = data_.leaked_prompts,
            .leaked_line = data_.leaked_line};
  for (const auto& row : data_.train) {
    const auto tokens = static_cast<std::int64_t>(row.prompt.size());
    facts_.longest = std::max(facts_.longest, tokens + max_new_tokens_);
    facts_.tokens += tokens;
  }
}

/// A frozen reference (with an adapter it is the model itself), PPO's value network with its
/// gradients and moments, a reward model, and what drawing keeps: keys, values and logits.
std::int64_t PolicyObjective::other_bytes(const ModelConfig& config) const {
  const std::int64_t model = rl::parameters(config) * 4;
  std::int64_t bytes = wants_reference_ && !spec_.lora ? model : 0;
  if (spec_.settings.has("value_clip")) bytes += spec_.lora ? model : 4 * model;
  if (spec_.reward->model) bytes += model;
  const SamplingNeed need{
      .slots = std::min(SamplerOptions{}.slots, spec_.batch_size() * group_size_),
      .max_tokens = max_new_tokens_,
      .bf16 = spec_.bf16()};
  const auto drawing = forecast_sampling(config, need);
  return bytes + drawing.cache + drawing.logits;
}

bool PolicyObjective::prepare(Model&, const SafetensorsFile* checkpoint, Observer&) {
  reward_.emplace(spec_.reward->make(rules_));
  if (spec_.gold) gold_.emplace(spec_.gold->make(rules_));
  if (wants_reference_ && !spec_.lora) {
    reference_.emplace(
        load_model(base_.config, *base_.weights, spec_.bf16() ? Held::Rounded : Held::F32));
    if (spec_.bf16()) use_bf16_products(*reference_);
  }
  if (spec_.settings.has("value_clip")) {
    const auto& from = spec_.reward->model;
    if (from) {  // the reward model's body and head, in its units
      const auto base = open_base(*from, Output::Score);
      value_.emplace(load_model(base.config, *base.weights), spec_, spec_.reward->offset,
                     spec_.reward->scale);
    } else {
      auto body = load_model(base_.config, *base_.weights);
      make_value_model(body);
      value_.emplace(std::move(body), spec_, 0, 1);
    }
  }
  if (!checkpoint) return true;
  if (value_) value_->restore(*checkpoint);
  kl_coefficient_ = checkpoint->read("policy.kl_coefficient").item<double>();
  within_ = checkpoint->read("policy.within").item<std::int64_t>();
  if (within_ > 0) rollout_ = Rollout::from(*checkpoint);
  return true;
}

NamedTensors PolicyObjective::state() const {
  NamedTensors out;
  if (value_) out = value_->state();
  out.emplace_back("policy.kl_coefficient", at::zeros({1}, at::kDouble).fill_(kl_coefficient_));
  out.emplace_back("policy.within", at::zeros({1}, at::kLong).fill_(within_));
  if (within_ > 0)
    for (auto& tensor : rollout_.tensors()) out.push_back(std::move(tensor));
  return out;
}

/// The prompt, or, when the present rollout has answers to it, those.
std::vector<ShownText> PolicyObjective::show(std::int64_t row) const {
  const auto& prompt = data_.train[static_cast<std::size_t>(row)];
  std::vector<ShownText> out;
  const auto starts = rollout_.starts();
  for (std::size_t i = 0; i < rollout_.prompt.size(); ++i) {
    if (rollout_.prompt[i] != row) continue;
    char what[80];
    std::snprintf(what, sizeof what, "a drawn answer, score %.4g, advantage %.4g",
                  rollout_.scores[i], rollout_.advantages[static_cast<std::size_t>(starts[i])]);
    auto text =
        shown(what, prompt.line, prompt.prompt,
              {rollout_.tokens.begin() + starts[i], rollout_.tokens.begin() + starts[i + 1]},
              Mark::Masked);
    for (auto t = starts[i]; t < starts[i + 1]; ++t) {
      const auto at = static_cast<std::size_t>(t);
      if (rollout_.mask[at] && rollout_.advantages[at] != 0)
        text.marks[prompt.prompt.size() + static_cast<std::size_t>(t - starts[i])] =
            rollout_.advantages[at] > 0 ? Mark::Learnt : Mark::Against;
    }
    out.push_back(std::move(text));
  }
  if (out.empty()) out.push_back(shown("a prompt", prompt.line, prompt.prompt, {}, Mark::Given));
  return out;
}

std::int64_t PolicyObjective::total_steps() const {
  const auto steps = spec_.max_steps();
  return steps ? *steps : spec_.epochs() * order_.steps_per_epoch() * steps_a_rollout();
}

// ---- a rollout

std::optional<Rollout> PolicyObjective::draw(const Model& model,
                                             const std::vector<PromptRow>& prompts,
                                             const std::vector<std::int64_t>& rows,
                                             std::int64_t each, std::uint64_t seed,
                                             std::uint64_t first_sample, const char* stage,
                                             Observer& observer) const {
  std::vector<SampleRequest> requests;
  Rollout r;
  for (const auto row : rows)
    for (std::int64_t i = 0; i < each; ++i) {
      requests.push_back({prompts[static_cast<std::size_t>(row)].prompt,
                          {.max_tokens = max_new_tokens_, .temperature = temperature_},
                          seed,
                          first_sample + requests.size()});
      r.prompt.push_back(row);
    }
  std::vector<Sample> samples(requests.size());
  const auto total = static_cast<std::int64_t>(requests.size());
  std::int64_t done = 0;
  bool stopped = false;
  SamplerEvents events;
  events.on_sample = [&](std::size_t i, const Sample& sample) {
    samples[i] = sample;
    observer.progress(stage, ++done, total, -1);
  };
  events.stop_requested = [&] { return stopped = stopped || observer.stop_requested(); };
  sample_all(model, requests, {.stop_ids = rules_.end_ids}, events);
  if (stopped) return std::nullopt;
  for (const auto& sample : samples) {
    r.lengths.push_back(static_cast<std::int64_t>(sample.ids.size()));
    r.tokens.insert(r.tokens.end(), sample.ids.begin(), sample.ids.end());
    r.sampled.insert(r.sampled.end(), sample.logprobs.begin(), sample.logprobs.end());
    r.truncated.push_back(sample.finish != Finish::Stop);
  }
  return r;
}

std::vector<Completion> PolicyObjective::completions_of(const Rollout& rollout,
                                                        const std::vector<PromptRow>& prompts,
                                                        std::vector<Ids>& ids) const {
  const auto starts = rollout.starts();
  ids.resize(rollout.prompt.size());
  std::vector<Completion> out;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    ids[i] = {rollout.tokens.begin() + starts[i], rollout.tokens.begin() + starts[i + 1]};
    out.push_back({&prompts[static_cast<std::size_t>(rollout.prompt[i])],
                   rules_.tokenizer->decode(ids[i], true), &ids[i], rollout.truncated[i] != 0});
  }
  return out;
}

std::vector<float> PolicyObjective::logprobs(const Model& model, const Rollout& rollout,
                                             const std::vector<PromptRow>& prompts,
                                             const Passes& passes) const {
  std::vector<float> out(rollout.tokens.size());
  for (const auto& pass : passes)
    put_tokens(rollout, pass,
               response_logprobs(model, pack(groups_of(rollout, prompts, pass)),
                                 {.temperature = temperature_}),
               out);
  return out;
}

std::vector<float> PolicyObjective::reference_logprobs(Model& model, const Rollout& rollout,
                                                       const std::vector<PromptRow>& prompts,
                                                       const Passes& passes) {
  if (reference_) return logprobs(*reference_, rollout, prompts, passes);
  model.adapters_on = false;
  auto out = logprobs(model, rollout, prompts, passes);
  model.adapters_on = true;
  return out;
}

/// The passes of the rollout's first epoch: what is computed in the same ones is the same to the
/// bit. In bf16 a token's log-probability may lie tenths of a nat apart where others are packed
/// beside it.
PolicyObjective::Passes PolicyObjective::first_passes(std::int64_t number) const {
  Passes out;
  for (std::int64_t part = 0; part < minibatches_; ++part) {
    const auto answers = minibatch(number * steps_a_rollout() + part);
    const auto passes = micro_batches(rollout_, data_.train, answers, spec_.micro_batch_tokens());
    out.insert(out.end(), passes.begin(), passes.end());
  }
  return out;
}

bool PolicyObjective::make_rollout(Model& model, std::int64_t number, Observer& observer) {
  const auto rows = order_.rows_of(number);
  const auto answers_a_rollout = static_cast<std::uint64_t>(spec_.batch_size() * group_size_);
  rollout_values_.clear();
  const auto every = spec_.settings.integer("gold_every");
  if (gold_ && every > 0 && number % every == 0 && !measure_gold(model, observer, rollout_values_))
    return false;
  auto drawn = draw(model, data_.train, rows, group_size_, spec_.seed_of(Stream::Sample),
                    static_cast<std::uint64_t>(number) * answers_a_rollout, "rollout", observer);
  if (!drawn) return false;
  rollout_ = std::move(*drawn);
  // When one step uses the rollout up, the policy's own pass is its old log-probabilities.
  const auto passes = first_passes(number);
  if (steps_a_rollout() > 1) rollout_.old = logprobs(model, rollout_, data_.train, passes);
  if (wants_reference_) rollout_.ref = reference_logprobs(model, rollout_, data_.train, passes);
  score(rollout_, rollout_values_);
  if (value_) {
    if (number == 0 && !spec_.reward->model) value_->begin_at(mean_scored(rollout_));
    rollout_.values.resize(rollout_.tokens.size());
    for (const auto& pass : passes)
      put_tokens(rollout_, pass, value_->values(pack(groups_of(rollout_, data_.train, pass))),
                 rollout_.values);
  }
  compare(rollout_, spec_.settings, options_.kl_place, kl_coefficient_, rollout_values_);
  if (const auto target = spec_.settings.find_number("kl_target"))
    kl_coefficient_ =
        adapted_kl(kl_coefficient_, mean_kl(rollout_), rollout_.answers(),
                   {.target = *target, .horizon = spec_.settings.number("kl_horizon")});
  return true;
}

/// What the answers are worth, with what their length costs.
void PolicyObjective::score(Rollout& r, Values& values) {
  std::vector<Ids> ids;
  const auto completions = completions_of(r, data_.train, ids);
  const auto parts = reward_->score_parts(completions);
  const auto sums = reward_->sum(parts);
  if (parts.size() > 1)
    for (const auto& part : parts) {
      std::vector<double> scored;
      for (const auto& s : part.scores)
        if (s.scored) scored.push_back(s.value);
      values.emplace_back("rl/score/" + part.name, spread_of(scored).mean);
    }
  const auto& s = spec_.settings;
  const auto no_end = spec_.reward->model ? s.find_number("no_end_score") : std::nullopt;
  const auto buffer = static_cast<double>(s.integer("overlong_buffer"));
  const bool fined = s.word("truncated") == "penalise";
  std::vector<double> scored;
  std::int64_t truncated = 0;
  for (std::size_t i = 0; i < sums.size(); ++i) {
    double value = sums[i].scored ? sums[i].value : kUnscored;
    if (sums[i].scored) scored.push_back(value);
    if (r.truncated[i]) {
      ++truncated;
      if (no_end && sums[i].scored) value = *no_end;
      if (fined) value -= 1;
    }
    if (buffer > 0)  // DAPO's soft overlong punishment (arXiv:2503.14476), eq. 13
      value -= std::clamp(static_cast<double>(r.lengths[i]) -
                              (static_cast<double>(max_new_tokens_) - buffer),
                          0.0, buffer) /
               buffer;
    r.scores.push_back(value);
  }
  const auto count = static_cast<double>(sums.size());
  const double unscored = 1 - static_cast<double>(scored.size()) / count;
  if (unscored > kMostUnscored)
    throw RunFailure("user", "unscored",
                     std::to_string(count_unscored(sums)) + " of " + std::to_string(sums.size()) +
                         " answers got no score: the reward fails on them",
                     -1, "reward");
  const auto spread = spread_of(scored);
  std::vector<double> lengths(r.lengths.begin(), r.lengths.end());
  const auto length = spread_of(lengths);
  const Values more = {{"rl/score/mean", spread.mean},
                       {"rl/score/std", spread.std},
                       {"rl/unscored", unscored},
                       {"rl/length/mean", length.mean},
                       {"rl/length/max", length.max},
                       {"rl/truncated", static_cast<double>(truncated) / count},
                       {"rl/no_end", static_cast<double>(truncated) / count}};
  values.insert(values.end(), more.begin(), more.end());
}

/// The reward that nobody trains on, of answers to held-out prompts, with how far they are from the
/// reference.
bool PolicyObjective::measure_gold(Model& model, Observer& observer, Values& values) {
  const auto& prompts = data_.held_out.empty() ? data_.train : data_.held_out;
  const auto rows = all_rows(prompts.size());
  const auto drawn =
      draw(model, prompts, rows, 1, spec_.seed_of(Stream::Sample) ^ kGoldSeed, 0, "gold", observer);
  if (!drawn) return false;
  std::vector<Ids> ids;
  const auto completions = completions_of(*drawn, prompts, ids);
  const auto mean = [&](Mixture& reward) {
    std::vector<double> scored;
    for (const auto& s : reward.score(completions))
      if (s.scored) scored.push_back(s.value);
    return spread_of(scored).mean;
  };
  if (gold_) values.emplace_back("rl/gold", mean(*gold_));
  values.emplace_back("rl/proxy", mean(*reward_));
  auto with_reference = *drawn;
  if (wants_reference_) {
    with_reference.ref = reference_logprobs(
        model, with_reference, prompts,
        micro_batches(with_reference, prompts, all_rows(with_reference.prompt.size()),
                      spec_.micro_batch_tokens()));
    values.emplace_back("rl/gold/kl", mean_kl(with_reference));
  }
  return true;
}

// ---- a step

/// Whole groups; in their own order where one step takes them all.
std::vector<std::int64_t> PolicyObjective::minibatch(std::int64_t step) const {
  const std::int64_t groups = rollout_.answers() / group_size_;
  const std::int64_t within = step % steps_a_rollout(), epoch = within / minibatches_,
                     part = within % minibatches_;
  auto order = all_rows(static_cast<std::size_t>(groups));
  if (minibatches_ > 1)
    order = Random(spec_.seed_of(Stream::Order), Stream::Order)
                .permutation(groups, (std::uint64_t{1} << 40) +
                                         static_cast<std::uint64_t>(
                                             step / steps_a_rollout() * rollout_epochs_ + epoch));
  std::vector<std::int64_t> answers;
  for (auto g = groups * part / minibatches_; g < groups * (part + 1) / minibatches_; ++g)
    for (std::int64_t i = 0; i < group_size_; ++i)
      answers.push_back(order[static_cast<std::size_t>(g)] * group_size_ + i);
  return answers;
}

std::optional<StepPlan> PolicyObjective::begin(Model& model, std::int64_t step,
                                               Observer& observer) {
  const auto number = step / steps_a_rollout();
  first_pass_ = step % steps_a_rollout() == 0;
  if (first_pass_) {
    within_ = 0;
    if (!make_rollout(model, number, observer)) return std::nullopt;
  } else {
    rollout_values_.clear();
  }
  const auto answers = minibatch(step);
  const auto starts = rollout_.starts();
  totals_ = {.norm_length = max_new_tokens_};
  std::set<std::int64_t> counted;
  for (const auto a : answers) {
    std::int64_t tokens = 0;
    for (auto t = starts[static_cast<std::size_t>(a)]; t < starts[static_cast<std::size_t>(a) + 1];
         ++t)
      tokens += rollout_.mask[static_cast<std::size_t>(t)];
    if (tokens == 0) continue;  // nothing of it is learnt from
    totals_.tokens += tokens;
    ++totals_.sequences;
    counted.insert(a);
  }
  metrics_ = {};
  auto passes = micro_batches(rollout_, data_.train, answers, spec_.micro_batch_tokens());
  std::erase_if(passes, [&](const auto& pass) {
    return std::ranges::none_of(pass, [&](auto a) { return counted.contains(a); });
  });
  return StepPlan{std::move(passes), static_cast<std::int64_t>(answers.size()),
                  order_.epochs_after(number) +
                      static_cast<double>(step % steps_a_rollout() + 1) /
                          static_cast<double>(steps_a_rollout()) *
                          (order_.epochs_after(number + 1) - order_.epochs_after(number))};
}

std::int64_t PolicyObjective::accumulate(Model& model, const std::vector<std::int64_t>& answers) {
  const auto packed = pack(groups_of(rollout_, data_.train, answers));
  const HeadOptions head{.temperature = temperature_};
  ScoreTrace trace;
  trace.trunk.checkpointed = spec_.activation_checkpointing();
  at::Tensor entropy;
  auto lp =
      response_logprobs(model, packed, head, &trace, &entropy).set_requires_grad(true);  // [N]
  const auto mask = gather_tokens(rollout_, rollout_.mask, answers);
  const auto sampled = gather_tokens(rollout_, rollout_.sampled, answers);
  const auto old =
      rollout_.old.empty() ? lp.detach() : gather_tokens(rollout_, rollout_.old, answers);
  const auto ref =
      rollout_.ref.empty() ? at::Tensor() : gather_tokens(rollout_, rollout_.ref, answers);
  auto options = options_;
  options.kl_coefficient = kl_coefficient_;
  const auto corrected = sampler_weights(old, sampled, mask, packed.lengths, correction_,
                                         spec_.settings.number("sampler_correction_cap"));
  const auto loss = policy_loss(lp, old, ref, gather_tokens(rollout_, rollout_.advantages, answers),
                                mask, packed.lengths, options, corrected);
  const auto weights = token_weights(mask, packed.lengths, aggregation_, totals_);
  const auto total = (weights * loss.per_token).sum();
  total.backward();
  metrics_.add(loss, total.item<double>(), mask, entropy, lp, old, sampled);
  if (corrected.defined()) metrics_.add_corrected(corrected, mask);
  response_logprobs_backward(model, packed, lp.grad(), head, std::move(trace));
  if (value_) {
    const auto sums = value_->accumulate(packed, gather_tokens(rollout_, rollout_.values, answers),
                                         gather_tokens(rollout_, rollout_.returns, answers), mask,
                                         totals_.tokens);
    metrics_.add_value(sums.loss, sums.clipped);
  }
  return packed.ids.size(0);
}

StepResult PolicyObjective::finish() {
  StepResult out{metrics_.loss(), metrics_.tokens(),
                 metrics_.values(first_pass_, value_.has_value())};
  out.values.insert(out.values.end(), rollout_values_.begin(), rollout_values_.end());
  return out;
}

void PolicyObjective::stepped(Model&, double share) {
  if (value_ && !std::isfinite(value_->step(share)))
    throw RunFailure("user", "diverged",
                     "the value network's gradient is not finite: a lower value_learning_rate "
                     "usually helps",
                     -1, "hyperparameters.value_learning_rate");
  within_ = (within_ + 1) % steps_a_rollout();
}

std::optional<HeldOut> PolicyObjective::held_out(Model& model, Observer& observer) {
  HeldOut out{.rows = facts_.held_out, .rows_name = "answers"};
  if (out.rows == 0) return out;
  if (!measure_gold(model, observer, out.values)) return std::nullopt;
  return out;
}

}  // namespace hone::rl
