#include "rl/train/objective.h"

#include "feedback/base/error.h"
#include "rl/train/preference.h"

namespace hone::rl {

std::unique_ptr<Objective> make_objective(const TrainSpec& spec, const Base& base) {
  switch (spec.method->family) {
    case feedback::Family::Preference:
      return std::make_unique<PreferenceObjective>(spec, base);
    default:
      throw Error(Code::Invalid, "the method " + spec.method->name + " is not there yet", "method");
  }
}

}  // namespace hone::rl
