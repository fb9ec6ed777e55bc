#include "services/run/loading.h"

#include <fmt/format.h>

#include <iostream>

#include "feedback/base/error.h"
#include "rl/model/lora.h"

namespace hone::run {

std::string memory_problem(const rl::ModelConfig& config) {
  const double needed = 4.0 * static_cast<double>(rl::parameters(config));
  const auto free = static_cast<double>(rl::available_memory());
  if (free == 0 || needed <= 0.92 * free) return "";
  return fmt::format("its weights take {:.1f} GB as f32, and {:.1f} GB are free", needed / 1e9,
                     free / 1e9);
}

namespace {

Loaded load(const Arguments& arguments, std::optional<rl::Output> wanted, rl::Products products,
            std::optional<rl::SamplingNeed> need) {
  const auto& place = arguments.places[0];
  const auto dtype = arguments.text("dtype").value_or("float32");
  if (dtype != "float32" && dtype != "bfloat16" && dtype != "auto")
    throw Error(Code::Invalid, "--dtype takes float32, bfloat16 or auto", "dtype");
  auto base = rl::open_base(place, wanted);
  auto rules = rl::text_rules(base);
  rl::use_matmul_plan(rl::probe_matmul());
  bool bf16 = dtype == "bfloat16";
  if (dtype == "auto") {
    const auto probe = rl::probe_dtype(products);
    bf16 = probe.bf16;
    std::cerr << fmt::format(
        "hone-run: bf16 products are {:.2f} times as fast as f32 ones here: "
        "taking {}\n",
        probe.ratio, bf16 ? "bfloat16" : "float32");
  }
  auto problem = memory_problem(base.config);
  if (!problem.empty()) problem += "; take a smaller base";
  if (problem.empty() && need) {
    need->bf16 = bf16;
    problem = rl::sampling_memory_problem(base.config, *need, rl::available_memory());
  }
  if (!problem.empty()) throw Error(Code::Invalid, place + ": " + problem);
  auto model = rl::load_model(base.config, *base.weights, bf16 ? rl::Held::Rounded : rl::Held::F32);
  if (const auto adapter = arguments.text("adapter"))
    rl::add_lora(model, rl::read_peft(*adapter, base.config));
  if (bf16) rl::use_bf16_products(model);
  return {std::move(base), std::move(rules), std::move(model)};
}

}  // namespace

Loaded load_to_score(const Arguments& arguments) {
  return load(arguments, std::nullopt, rl::Products::Passes, std::nullopt);
}

Loaded load_to_sample(const Arguments& arguments, rl::SamplingNeed need) {
  return load(arguments, rl::Output::Tokens, rl::Products::Steps, need);
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
