// A base, its adapter and how it turns text into tokens, opened for one command.
#pragma once

#include <optional>
#include <string>

#include "rl/data/conversation.h"
#include "rl/engine/sampling.h"
#include "rl/formats/base.h"
#include "rl/formats/export.h"
#include "rl/model/model.h"
#include "rl/ops/matmul.h"
#include "rl/train/memory.h"
#include "services/run/arguments.h"

namespace hone::run {

struct Loaded {
  rl::Base base;
  rl::TextRules rules;
  rl::Model model;
};

/// BASE [--adapter DIR] [--dtype float32|bfloat16|auto] for scoring (with a reward model's adapter
/// the base becomes one): weights as f32, multiplied by the route that the start-up probe finds, or
/// with bf16 operands; auto measures and tells its choice on standard error. Invalid when they do
/// not fit the memory that is free.
Loaded load_to_score(const Arguments& arguments);
/// The same for sampling as `need` says, whose dtype is the arguments'; Invalid as well when the
/// base is no language model, or keys and values find no room beside its weights.
Loaded load_to_sample(const Arguments& arguments, rl::SamplingNeed need);

/// Whether weights are to be bf16, by a dtype of float32, bfloat16 or auto, for which both are
/// measured and the choice is told on standard error.
bool takes_bf16(const std::string& dtype, rl::Products products);

/// A base, its adapter on it, that samples and does nothing else.
rl::Model load_sampler(const rl::Base& base, bool bf16, const std::optional<rl::LoraFile>& adapter);

/// --max-tokens, --temperature or --greedy, --top-p, --top-k, --min-p, --repetition-penalty over
/// what `absent` has; Invalid by name when one is out of bounds.
rl::SamplingOptions sampling_of(const Arguments& arguments, rl::SamplingOptions absent);

/// The sentence that says what weights of this shape need and what is free; empty when they fit.
std::string memory_problem(const rl::ModelConfig& config);

}  // namespace hone::run
