#include "rl/reward/model_reward.h"

#include <ATen/core/Tensor.h>

#include <cmath>

#include "feedback/base/error.h"
#include "rl/model/scalar_head.h"

namespace hone::rl {

bool same_text_rules(const TextRules& a, const TextRules& b) {
  const auto source = [](const TextRules& rules) {
    return rules.chat ? rules.chat->source() : std::string();
  };
  return a.end_ids == b.end_ids && source(a) == source(b) &&
         (a.tokenizer == b.tokenizer || a.tokenizer->to_json() == b.tokenizer->to_json());
}

Group rewarded_group(const TextRules& rm_rules, const Completion& completion, ReadAs read) {
  if (read == ReadAs::Sampled) return {completion.prompt->prompt, {*completion.ids}};
  const auto& source = completion.prompt->source;
  return {prompt_ids(rm_rules, source),
          {completion.truncated ? rm_rules.tokenizer->encode(completion.text, false)
                                : response_ids(rm_rules, source, completion.text)}};
}

std::vector<Score> score_with_model(const Model& rm, const TextRules& rm_rules,
                                    std::span<const Completion> completions, ReadAs read,
                                    const ModelRewardOptions& options) {
  std::vector<Score> out(completions.size(), Score{.value = 0, .scored = false});
  std::vector<Group> groups;           // a completion each
  std::vector<std::size_t> positions;  // theirs
  std::int64_t tokens = 0;
  const auto flush = [&] {
    if (groups.empty()) return;
    const auto packed = pack_whole(groups);
    const auto scores = scalars_at(rm, packed, packed.last).cpu().contiguous();
    for (std::size_t i = 0; i < positions.size(); ++i) {
      const double raw = static_cast<double>(scores.const_data_ptr<float>()[i]);
      if (std::isfinite(raw))
        out[positions[i]] = {.value = (raw - options.offset) * options.scale, .scored = true};
    }
    groups.clear();
    positions.clear();
    tokens = 0;
  };
  for (std::size_t i = 0; i < completions.size(); ++i) {
    auto group = rewarded_group(rm_rules, completions[i], read);
    if (group.prompt.empty() || group.responses[0].empty()) continue;
    const auto n = static_cast<std::int64_t>(group.prompt.size() + group.responses[0].size());
    if (n > rm.config.max_position_embeddings) continue;
    if (tokens + n > options.micro_batch_tokens) flush();
    groups.push_back(std::move(group));
    positions.push_back(i);
    tokens += n;
  }
  flush();
  return out;
}

ModelReward::ModelReward(std::string name, Model model, TextRules rules,
                         const TextRules& policy_rules, const ModelRewardOptions& options)
    : name_(std::move(name)),
      model_(std::move(model)),
      rules_(std::move(rules)),
      read_(same_text_rules(rules_, policy_rules) ? ReadAs::Sampled : ReadAs::Retold),
      options_(options) {
  if (model_.config.output != Output::Score)
    throw Error(Code::Invalid, "a model with a score head is wanted: this one gives logits",
                "reward");
}

std::vector<Score> ModelReward::score(std::span<const Completion> completions) {
  return score_with_model(model_, rules_, completions, read_, options_);
}

}  // namespace hone::rl
