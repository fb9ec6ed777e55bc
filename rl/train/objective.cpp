#include "rl/train/objective.h"

#include <stdexcept>

#include "rl/train/demonstration.h"
#include "rl/train/distillation.h"
#include "rl/train/policy.h"
#include "rl/train/preference.h"
#include "rl/train/reward.h"
#include "rl/train/unpaired.h"

namespace hone::rl {

ShownText shown(std::string what, std::int64_t line, const Ids& prompt, const Ids& answer,
                Mark mark) {
  ShownText out{std::move(what), line, prompt, std::vector<Mark>(prompt.size(), Mark::Given)};
  out.ids.insert(out.ids.end(), answer.begin(), answer.end());
  out.marks.resize(out.ids.size(), mark);
  return out;
}

std::unique_ptr<Objective> make_objective(const TrainSpec& spec, const Base& base) {
  switch (spec.method->family) {
    case feedback::Family::Demonstration:
      return std::make_unique<DemonstrationObjective>(spec, base);
    case feedback::Family::Reward:
      return std::make_unique<RewardObjective>(spec, base);
    case feedback::Family::Preference:
      return std::make_unique<PreferenceObjective>(spec, base);
    case feedback::Family::Unpaired:
      return std::make_unique<UnpairedObjective>(spec, base);
    case feedback::Family::Policy:
      return std::make_unique<PolicyObjective>(spec, base);
    case feedback::Family::Distillation:
      return std::make_unique<DistillationObjective>(spec, base);
  }
  throw std::logic_error("a family without an objective");
}

}  // namespace hone::rl
