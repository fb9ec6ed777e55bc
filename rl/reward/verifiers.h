// Rewards that a few lines compute: a pattern, a length.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "rl/reward/regex.h"
#include "rl/reward/reward.h"

namespace hone::rl {

/// 1 where the pattern is found, else 0. A text that the pattern needs too much work for is
/// unscored.
class RegexReward : public Reward {
 public:
  RegexReward(std::string name, Regex pattern)
      : name_(std::move(name)), pattern_(std::move(pattern)) {}
  std::string name() const override { return name_; }
  std::vector<Score> score(std::span<const Completion> completions) override;

 private:
  std::string name_;
  Regex pattern_;
};

/// 0 for `target` tokens, the end token included, and below it by the share of the target that is
/// missing or too much. What a run must learn within minutes when all is well with it.
class LengthReward : public Reward {
 public:
  LengthReward(std::string name, std::int64_t target) : name_(std::move(name)), target_(target) {}
  std::string name() const override { return name_; }
  std::vector<Score> score(std::span<const Completion> completions) override;

 private:
  std::string name_;
  std::int64_t target_;
};

}  // namespace hone::rl
