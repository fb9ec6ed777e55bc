// Checkpoints on disk: which of them are whole, and which is the one to go on from.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "storage/repo/leases.h"

namespace hone::worker {

/// A checkpoint whose every file is there with the hash that its manifest gives.
struct WholeCheckpoint {
  std::string manifest_sha256;
  std::int64_t bytes = 0;
};

/// Reads `folder`/manifest.json, {"files":{NAME:{"bytes","sha256"}...}}, and every file named in
/// it. Nothing when one is missing or differs, or when the manifest is not one.
std::optional<WholeCheckpoint> verify_checkpoint(const std::filesystem::path& folder);

/// What an attempt goes on from: one that was adopted, in a folder of the attempt's own.
struct Resume {
  storage::Checkpoint checkpoint;
  std::filesystem::path folder;
};

/// The first of `adopted` (newest first; their paths are relative to `job_folder`) that is still
/// whole and is the one that was adopted, linked into `into`/. Linked first and verified there: the
/// attempt that wrote it may still be running without our knowledge, and prunes its own.
std::optional<Resume> take_first_whole(const std::filesystem::path& job_folder,
                                       const std::vector<storage::Checkpoint>& adopted,
                                       const std::filesystem::path& into);

/// Of a run of several seeds: lays one that an earlier attempt brought to its end into this
/// attempt's out/, where hone-run looks for it and does not run it again; from the newest attempt
/// that has it whole. Its checkpoints stay behind. Whether it is of this very run is hone-run's to
/// say. False when there is none.
bool take_ended_seed(const std::filesystem::path& job_folder, std::int64_t epoch,
                     std::int64_t seed);

/// Removes the checkpoints that earlier attempts left, but those in `keep`. The attempt that runs
/// prunes its own.
void prune_earlier_attempts(const std::filesystem::path& job_folder, std::int64_t epoch,
                            const std::vector<storage::Checkpoint>& keep);

}  // namespace hone::worker
