// A weighted sum of rewards that keeps its parts, for the metrics.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "rl/reward/reward.h"

namespace hone::rl {

class Mixture : public Reward {
 public:
  struct Part {
    std::unique_ptr<Reward> reward;
    double weight = 1;
  };
  struct PartScores {
    std::string name;
    std::vector<Score> scores;
  };

  /// At least one part; their names differ.
  explicit Mixture(std::vector<Part> parts) : parts_(std::move(parts)) {}
  /// That of its one part, or "mixture".
  std::string name() const override;

  /// Each part's own scores, before weights: rl/score/<name>.
  std::vector<PartScores> score_parts(std::span<const Completion> completions);
  /// The weighted sums; unscored where any part is.
  std::vector<Score> sum(const std::vector<PartScores>& parts) const;
  std::vector<Score> score(std::span<const Completion> completions) override {
    return sum(score_parts(completions));
  }

 private:
  std::vector<Part> parts_;
};

}  // namespace hone::rl
