// Checkpoints on disk: there whole or not at all, verified before use, two kept.
//
// checkpoints/step-000010/
//   model.safetensors  weights that train, "m.<name>" and "v.<name>" of the optimizer,
//   "reference.*" metrics.jsonl      the run's metrics so far state.json         CheckpointState
//   manifest.json      sha256 and size of each file above; written last
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "rl/formats/safetensors.h"
#include "rl/ops/matmul.h"

namespace hone::rl {

/// What makes two attempts the same run. A resume with any other is refused, naming the field.
struct RunIdentity {
  std::string mathematics;  ///< mathematics_json of the spec
  std::string data_sha256;
  std::string base_sha256;
};

struct CheckpointState {
  std::int64_t step = 0;             ///< optimizer steps done; the next one to do, counted from 0
  std::int64_t optimizer_steps = 0;  ///< those that were applied
  std::int64_t tokens = 0;           ///< trunk tokens trained so far
  double train_s = 0;                ///< seconds of finished steps, over all attempts
  RunIdentity identity;
  MatmulPlan plan;
  double bf16_ratio = 0;  ///< how many times faster bf16 products were; 0: not measured
  std::string revision;   ///< of the code that wrote it
};

struct Checkpoint {
  std::filesystem::path path;
  CheckpointState state;
};

/// Writes checkpoints/step-NNNNNN (temporary folder, files flushed, manifest last, rename, folder
/// flushed) and removes all but the two newest. Returns its path.
std::filesystem::path save_checkpoint(const std::filesystem::path& checkpoints,
                                      const CheckpointState& state, const NamedTensors& tensors,
                                      const std::filesystem::path& metrics);

/// Reads the state and verifies every file's hash. NotFound or Invalid with the reason.
Checkpoint open_checkpoint(const std::filesystem::path& path);

/// The checkpoint at `path`, or, when it is damaged, the newest good one beside it with fewer
/// steps; `tell` hears why one was passed over. Throws the first reason when none is good.
Checkpoint open_checkpoint_or_earlier(const std::filesystem::path& path,
                                      const std::function<void(const std::string&)>& tell);

/// Throws Invalid naming the first field in which the checkpoint's run differs from this one.
void check_same_run(const RunIdentity& checkpoint, const RunIdentity& run);

}  // namespace hone::rl
