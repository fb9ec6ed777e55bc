// The last stage of a train job: what hone-run left becomes a version of a model.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "services/worker/attempt.h"

namespace hone::worker {

/// Where the published folders of a job stay for people, beside its attempts.
inline constexpr const char* kPublished = "published";

/// `sources` is what lay_out_sources says of the run's reward and teacher, for the manifest.
/// Verifies what hone-run left in the attempt's out/, puts every file into the artifact store,
/// writes hone/manifest.json and publishes, in one fenced transaction. Each step may be done again.
/// Throws LeaseLost; Error when what hone-run left is not what it promised.
Ending publish(Attempt& attempt, const storage::JobInputs& inputs, const nlohmann::json& sources);

}  // namespace hone::worker
