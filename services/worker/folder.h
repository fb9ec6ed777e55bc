// The folder of one attempt at a job: what the worker lays into it and hone-run finds there.
//   <jobs>/<job>/e<epoch>/  spec.json, base/NAME.gguf or base/NAME/, rows.jsonl, prompts.jsonl,
//                           versions/ID/, teacher/;
//                           out/, out/checkpoints/step-NNNNNN/ (of several seeds:
//                           out/seed-N/ with all of this), responses.jsonl, result.json, run.log
// The epoch is in the name, so that an old owner can leave only garbage.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "storage/artifacts/store.h"
#include "storage/repo/leases.h"
#include "storage/repo/worker_reads.h"

namespace hone::worker {

/// Where hone-run keeps an attempt's checkpoints, below the attempt's folder.
inline constexpr const char* kCheckpoints = "out/checkpoints";

/// "e3".
std::string attempt_name(std::int64_t epoch);

/// A relative path that stays below where it is put: no "..", no root. Throws Invalid.
std::filesystem::path below(const std::string& path);

/// Throws NotFound when it cannot be opened.
std::string read_text(const std::filesystem::path& file);
/// Replaces the file. Throws Busy when the disk is full or fails.
void write_text(const std::filesystem::path& file, std::string_view text);

/// Puts an artifact under a name of its own: a hard link, or a symbolic one across file systems.
void link_blob(const storage::ArtifactStore& artifacts, const std::string& sha256,
               const std::filesystem::path& to);

/// Lays the base into `folder` and returns its path there: a GGUF file, or a directory of links.
std::filesystem::path link_base(const storage::ArtifactStore& artifacts,
                                const storage::JobInputs::BaseInput& base,
                                const std::filesystem::path& folder);

/// Lays the files of one folder of a published version ("reward", "hf") into `directory`, which is
/// made.
void link_version(const storage::ArtifactStore& artifacts, const storage::JobVersion& version,
                  const std::string& folder, const std::filesystem::path& directory);

/// After a job's end: of its folder stay the logs, the specs and, for a published version, the
/// published folders, which share their bytes with the store.
void sweep_job(const std::filesystem::path& job_folder);
bool is_swept(const std::filesystem::path& job_folder);

}  // namespace hone::worker
