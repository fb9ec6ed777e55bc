#include "services/run/loading.h"

#include <fmt/format.h>

#include <iostream>

#include "feedback/base/error.h"
#include "rl/engine/sampler.h"
#include "rl/formats/merge.h"
#include "rl/formats/reward_base.h"
#include "rl/model/lora.h"

namespace hone::run {

std::string memory_problem(const rl::ModelConfig& config) {
  const double needed = 4.0 * static_cast<double>(rl::parameters(config));
  const auto free = static_cast<double>(rl::available_memory());
  if (free == 0 || needed <= 0.92 * free) return "";
  return fmt::format("its weights take {:.1f} GB as f32, and {:.1f} GB are free", needed / 1e9,
                     free / 1e9);
}

bool takes_bf16(const std::string& dtype, rl::Products products) {
  if (dtype != "auto") return dtype == "bfloat16";
  const auto probe = rl::probe_dtype(products);
  std::cerr << fmt::format(
      "hone-run: bf16 products are {:.2f} times as fast as f32 ones here: taking {}\n", probe.ratio,
      probe.bf16 ? "bfloat16" : "float32");
  return probe.bf16;
}

namespace {

struct Opened {
  rl::Base base;
  bool bf16;
  std::optional<rl::LoraFile> adapter;
};

Opened open(const Arguments& arguments, std::optional<rl::Output> wanted, rl::Products products) {
  const auto dtype = arguments.text("dtype").value_or("float32");
  if (dtype != "float32" && dtype != "bfloat16" && dtype != "auto")
    throw Error(Code::Invalid, "--dtype takes float32, bfloat16 or auto", "dtype");
  Opened out{rl::open_base(arguments.places[0], wanted), false, std::nullopt};
  if (const auto folder = arguments.text("adapter"))
    out.adapter = rl::read_peft(*folder, out.base.config);
  rl::use_matmul_plan(rl::probe_matmul());
  out.bf16 = takes_bf16(dtype, products);
  return out;
}

rl::Model load_adapted(const rl::Base& base, rl::Held held,
                       const std::optional<rl::LoraFile>& adapter) {
  auto model = rl::load_model(base.config, *base.weights, held);
  if (adapter) rl::add_lora(model, *adapter);
  if (held != rl::Held::F32) rl::use_bf16_products(model);
  return model;
}

/// A reward model of a base and a reward adapter, merged: its head is trained whole in any case.
rl::Model load_rewards(const rl::Base& base, rl::Held held, const rl::LoraFile& adapter) {
  auto model =
      rl::load_model(rl::reward_base(base).config, rl::MergedWeights(*base.weights, adapter), held);
  if (held != rl::Held::F32) rl::use_bf16_products(model);
  return model;
}

}  // namespace

Loaded load_to_score(const Arguments& arguments) {
  auto [base, bf16, adapter] = open(arguments, std::nullopt, rl::Products::Passes);
  if (const auto problem = memory_problem(base.config); !problem.empty())
    throw Error(Code::Invalid, arguments.places[0] + ": " + problem + "; take a smaller base");
  const auto held = bf16 ? rl::Held::Rounded : rl::Held::F32;
  const bool rewards = adapter && adapter->output == rl::Output::Score;
  auto model = rewards ? load_rewards(base, held, *adapter) : load_adapted(base, held, adapter);
  auto rules = rl::text_rules(base);
  return {std::move(base), std::move(rules), std::move(model)};
}

Loaded load_to_sample(const Arguments& arguments, rl::SamplingNeed need) {
  // What is faster in bf16 with many samples at once is so with one; the other way round it is not,
  // where the processor has no bf16 instructions.
  const auto products = need.slots > 1 ? rl::Products::Passes : rl::Products::Steps;
  auto [base, bf16, adapter] = open(arguments, rl::Output::Tokens, products);
  need.bf16 = bf16;
  if (const auto problem = rl::sampling_memory_problem(base.config, need, rl::available_memory());
      !problem.empty())
    throw Error(Code::Invalid, arguments.places[0] + ": " + problem);
  auto model = load_sampler(base, bf16, adapter);
  auto rules = rl::text_rules(base);
  return {std::move(base), std::move(rules), std::move(model)};
}

rl::Model load_sampler(const rl::Base& base, bool bf16,
                       const std::optional<rl::LoraFile>& adapter) {
  return load_adapted(base, rl::held_to_sample(bf16), adapter);
}

rl::SamplingOptions sampling_of(const Arguments& arguments, rl::SamplingOptions options) {
  options.max_tokens = arguments.integer("max-tokens").value_or(options.max_tokens);
  options.temperature = arguments.number("temperature").value_or(options.temperature);
  if (arguments.has("greedy")) options.temperature = 0;
  options.top_p = arguments.number("top-p").value_or(options.top_p);
  options.top_k = arguments.integer("top-k").value_or(options.top_k);
  options.min_p = arguments.number("min-p").value_or(options.min_p);
  options.repetition_penalty =
      arguments.number("repetition-penalty").value_or(options.repetition_penalty);
  rl::check_sampling(options);
  return options;
}

}  // namespace hone::run
