// What a sampled answer is worth.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "rl/data/prompts.h"

namespace hone::rl {

/// One answer of the model. What it points to outlives the call.
struct Completion {
  const PromptRow* prompt = nullptr;
  std::string text;          ///< without the end token
  const Ids* ids = nullptr;  ///< as sampled, the end token included
  bool truncated = false;    ///< cut at the cap: there is no end token
};

struct Score {
  double value = 0;
  bool scored = true;  ///< false: whoever judges has failed, and `value` says nothing
};

/// Judges answers. Called by one thread at a time.
class Reward {
 public:
  virtual ~Reward() = default;
  /// What its figures are called: rl/score/<name>.
  virtual std::string name() const = 0;
  /// One score for each completion, in order. An answer that cannot be judged is unscored, never 0.
  /// Throws Invalid for a prompt that lacks what the reward needs.
  virtual std::vector<Score> score(std::span<const Completion> completions) = 0;
};

std::int64_t count_unscored(std::span<const Score> scores);

/// A judge from elsewhere. When it throws Error, or gives no finite number, the answer is unscored.
class FunctionReward : public Reward {
 public:
  using Function = std::function<double(const Completion&)>;
  FunctionReward(std::string name, Function function)
      : name_(std::move(name)), function_(std::move(function)) {}
  std::string name() const override { return name_; }
  std::vector<Score> score(std::span<const Completion> completions) override;

 private:
  std::string name_;
  Function function_;
};

}  // namespace hone::rl
