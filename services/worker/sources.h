// What a run learns from beside its rows: the rewards of what it draws, and the teacher it
// imitates.
#pragma once

#include <nlohmann/json.hpp>

#include "services/worker/attempt.h"

namespace hone::worker {

struct Sources {
  nlohmann::json spec;     ///< "reward", "gold" and "teacher" as hone-run takes them
  nlohmann::json lineage;  ///< the same, by what they are: critics and versions with their hashes
};

/// Lays the models that the job's spec names into the attempt's folder. Both objects are empty for
/// a job that learns from rows alone. Throws LeaseLost; Error when something named is not there.
Sources lay_out_sources(Attempt& attempt, const nlohmann::json& job);

}  // namespace hone::worker
