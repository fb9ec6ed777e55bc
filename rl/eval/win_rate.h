// The trained model against its base: both answer the same held-out prompts with the same random
// numbers, a judge compares the answers.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "rl/data/conversation.h"
#include "rl/eval/intervals.h"
#include "rl/train/spec.h"

namespace hone::rl {

struct EvalPrompt {
  std::string id;
  std::vector<Message> messages;
};

/// JSON lines {"id", "messages"}; Invalid with the line for anything else, or for no lines.
std::vector<EvalPrompt> read_prompts(const std::filesystem::path& path);

struct WinRate {
  struct Round {
    std::string id, prompt, base_text, text;
    std::int64_t base_tokens = 0, tokens = 0;
    double outcome = 0;  ///< 1 the trained model's answer won, 1/2 tie, 0 lost
    double kl = 0;       ///< nats: sum of log policy - log base over the trained model's tokens
  };
  std::vector<Round> rounds;
  double value = 0;   ///< mean outcome
  Interval interval;  ///< bootstrap over prompts
  double mean_tokens = 0, base_mean_tokens = 0;
  double kl_seq = 0;    ///< nats a response
  double kl_token = 0;  ///< nats a token
  std::int64_t wins = 0, ties = 0, losses = 0;
};

/// The two models, as acts: which weights are the policy's and which the base's is the caller's
/// affair.
struct EvalModels {
  std::function<const Model&()> policy;
  std::function<const Model&()> base;  ///< called once after the last use of policy
};

/// `progress(done, total)` counts responses; true from `stop` ends early with no rounds.
/// KL is measured at the sampling temperature without truncation, where the samples come from.
WinRate measure_win_rate(const EvalModels& models, const TextRules& rules, const WinRateSpec& spec,
                         const std::function<void(std::int64_t done, std::int64_t total)>& progress,
                         const std::function<bool()>& stop);

}  // namespace hone::rl
