// A base, its adapter and how it turns text into tokens, opened for one command.
#pragma once

#include <optional>
#include <string>

#include "rl/data/conversation.h"
#include "rl/formats/base.h"
#include "rl/model/model.h"

namespace hone::run {

struct Loaded {
  rl::Base base;
  rl::TextRules rules;
  rl::Model model;
};

/// Weights as f32, multiplied by the route that the start-up probe finds. Invalid when they do not
/// fit the memory that is free, or the base's output is not the one wanted (nullopt: any).
Loaded load(const std::string& base, const std::optional<std::string>& adapter,
            std::optional<rl::Output> wanted = rl::Output::Tokens);

/// The sentence that says what weights of this shape need and what is free; empty when they fit.
std::string memory_problem(const rl::ModelConfig& config);

}  // namespace hone::run
