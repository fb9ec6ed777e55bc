// "reward" of a training spec as JSON: what sampled answers are worth.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "rl/reward/mixture.h"
#include "rl/reward/model_reward.h"

namespace hone::run {

/// A directory or GGUF whose model has a score head.
std::unique_ptr<rl::Reward> open_reward_model(const std::string& name,
                                              const std::filesystem::path& path,
                                              const rl::TextRules& policy_rules,
                                              const rl::ModelRewardOptions& options);

/// What a reward is made with once the run has opened its base.
struct RewardSetting {
  const rl::TextRules* policy_rules = nullptr;  ///< wanted for reward models
  std::function<decltype(open_reward_model)> open_model =
      open_reward_model;  // tests have their own
};

/// One reward, checked as far as its text goes. Nothing is opened yet.
struct RewardPart {
  std::string name;
  double weight = 1;
  bool needs_answers = false;   ///< prompts must have a reference
  std::filesystem::path model;  ///< of type reward_model, else empty
  std::function<std::unique_ptr<rl::Reward>(const RewardSetting&)> make;
  std::string canonical;  ///< with every default written out, keys in order
};

struct RewardSpec {
  std::vector<RewardPart> parts;  ///< at least one
  /// The list with every default written out and keys in order: equal specs give equal bytes.
  std::string canonical() const;
};

/// Reads one reward or a list of up to 16:
///   {"type": "rule", "rule": {"rules": [...], "delta"?}}    the rule critic's score, 0..1
///   {"type": "exact_answer", "form"?: "strict" | "lenient"} or with "pattern" of one group
///   {"type": "regex", "pattern", "ignore_case"?}
///   {"type": "length", "tokens"}
///   {"type": "reward_model", "path", "offset"?, "scale"?, "micro_batch_tokens"?}; units that are
///   not given are those of hone/reward.json beside the path, where a run left it
/// each with "weight" (1; not 0; a negative one punishes) and "name" (its type) if wanted. Names
/// must differ. Paths are taken from `folder`. Throws Invalid with the JSON pointer below `at`.
RewardSpec parse_reward_spec(const nlohmann::json& reward, const std::filesystem::path& folder,
                             const std::string& at = "/reward");

rl::Mixture make_reward(const RewardSpec& spec, const RewardSetting& setting);

}  // namespace hone::run
