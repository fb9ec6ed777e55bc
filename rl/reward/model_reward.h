// Reward models as rewards: what they read is what was sampled.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "rl/data/conversation.h"
#include "rl/model/model.h"
#include "rl/reward/reward.h"

namespace hone::rl {

struct ModelRewardOptions {
  double offset = 0, scale = 1;  ///< a reward is (score - offset) * scale
  std::int64_t micro_batch_tokens = 4096;
};

/// True when both turn a conversation into the same tokens: same tokenizer, same template.
bool same_text_rules(const TextRules& a, const TextRules& b);

/// The tokens that a reward model reads of a completion: those sampled, or, for a reward model with
/// text rules of its own, the same words by them. Truncated answers get no end token either way.
enum class ReadAs { Sampled, Retold };
Group rewarded_group(const TextRules& rm_rules, const Completion& completion, ReadAs read);

/// The reward model's score at each completion's last token, in passes of at most
/// `micro_batch_tokens` (a longer answer is a pass of its own). Unscored: an answer without tokens,
/// one longer than the model can read, a score that is not finite.
std::vector<Score> score_with_model(const Model& rm, const TextRules& rm_rules,
                                    std::span<const Completion> completions, ReadAs read,
                                    const ModelRewardOptions& options);

class ModelReward : public Reward {
 public:
  /// `policy_rules` are those that the completions were sampled under.
  ModelReward(std::string name, Model model, TextRules rules, const TextRules& policy_rules,
              const ModelRewardOptions& options);
  std::string name() const override { return name_; }
  std::vector<Score> score(std::span<const Completion> completions) override;
  /// For the run's record: whether the tokens scored are other than those sampled.
  bool retold() const { return read_ == ReadAs::Retold; }

 private:
  std::string name_;
  Model model_;
  TextRules rules_;
  ReadAs read_;
  ModelRewardOptions options_;
};

}  // namespace hone::rl
