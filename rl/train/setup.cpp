#include "rl/train/setup.h"

#include <ATen/Parallel.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "rl/model/lora.h"
#include "rl/ops/cuda/device.h"
#include "rl/train/failure.h"

namespace hone::rl {
namespace {

constexpr double kWorthwhile = 1.25;  // times as fast, for rounded operands to be worth it

}  // namespace

std::optional<Checkpoint> open_resumed(const TrainSpec& spec, Observer& observer) {
  if (!spec.resume_from) return std::nullopt;
  return open_checkpoint_or_earlier(
      *spec.resume_from, [&](const std::string& why) { observer.message("warning", why); });
}

void choose_products(const TrainSpec& spec, const std::optional<Checkpoint>& checkpoint,
                     Observer& observer) {
  if (!checkpoint) {
    if (spec.threads > 0) at::set_num_threads(spec.threads);
    return use_matmul_plan(spec.plan ? *spec.plan : probe_matmul());
  }
  const auto& plan = checkpoint->state.plan;
  std::string why;
  if (plan.cuda && !cuda::available(&why))
    throw RunFailure("infra", "no_device",
                     "the run began on a CUDA device, and only there does it go on bit for bit the "
                     "same; here there is none: " +
                         why);
  if (spec.threads > 0 && spec.threads != plan.threads)
    observer.message("info", "the run began with " + std::to_string(plan.threads) +
                                 " threads and goes on with as many, so that it ends bit for bit "
                                 "the same");
  use_matmul_plan(plan);
}

double resolve_dtype(TrainSpec& spec, const std::optional<Checkpoint>& checkpoint,
                     Observer& observer) {
  const bool open = spec.settings.word("dtype") == "auto";
  if (checkpoint) {
    if (open) {
      const auto begun = nlohmann::json::parse(checkpoint->state.identity.mathematics);
      spec.settings.set("dtype", begun.at("hyperparameters").at("dtype").get<std::string>());
    }
    return checkpoint->state.bf16_ratio;
  }
  if (!open && !spec.bf16()) return 0;
  const double ratio = spec.bf16_ratio ? *spec.bf16_ratio : probe_bf16();
  char words[160];
  if (open) {
    const bool taken = ratio >= kWorthwhile;
    spec.settings.set("dtype", std::string(taken ? "bfloat16" : "float32"));
    std::snprintf(words, sizeof words,
                  "dtype auto: bf16 products are %.2f times as fast as f32 ones here, so the run "
                  "takes %s",
                  ratio, taken ? "bfloat16" : "float32");
    observer.message("info", words);
  } else {
    const bool slow = ratio < 1.1;
    std::snprintf(words, sizeof words, "bf16 products are %.1f times as fast as f32 ones here%s",
                  ratio, slow ? ": dtype float32 would lose nothing" : "");
    observer.message(slow ? "warning" : "info", words);
  }
  return ratio;
}

Base open_start(const TrainSpec& spec) {
  const bool any = spec.method->family == feedback::Family::Reward;
  return open_base(spec.base, any ? std::nullopt : std::optional(Output::Tokens));
}

std::string leak_in_words(const DataFacts& facts) {
  return std::to_string(facts.leaked_prompts) +
         (facts.leaked_prompts == 1 ? " held-out row has" : " held-out rows have") +
         " a prompt that is trained on too (line " + std::to_string(facts.leaked_line) +
         " is one): what is measured on them was partly learnt by heart";
}

void tell_data(const DataFacts& facts, std::int64_t longest, Observer& observer) {
  std::string parts;
  for (const auto& [what, count] : facts.counts)
    if (count > 0) {
      std::string words = what;
      std::replace(words.begin(), words.end(), '_', ' ');
      parts += (parts.empty() ? "" : ", ") + std::to_string(count) + " " + words;
    }
  if (!parts.empty())
    observer.message("info", "in the data: " + parts + "; " + std::to_string(facts.dropped) +
                                 " rows are left out (the longest may have " +
                                 std::to_string(longest) + " tokens)");
  if (facts.boundary_merges > 0)
    observer.message("info", std::to_string(facts.boundary_merges) +
                                 " responses would be tokenised otherwise together with their "
                                 "prompt; they are trained on as they are sampled, apart");
  if (facts.leaked_prompts > 0) observer.message("warning", leak_in_words(facts));
}

Model make_model(const Objective& objective, const Base& base, const TrainSpec& spec) {
  auto model = objective.load(base);
  if (spec.lora) {
    add_lora(model, *spec.lora, Random(spec.seed_of(Stream::Init), Stream::Init));
    // A fresh head is no part of the base: it trains whole.
    if (model.score.value.defined()) model.score.grad = at::zeros_like(model.score.value);
  } else {
    train_all_weights(model);
  }
  if (spec.bf16()) use_bf16_products(model);
  return model;
}

}  // namespace hone::rl
