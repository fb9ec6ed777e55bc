// hone-run job: one job folder, spec.json in, result.json out.
#pragma once

#include <filesystem>

namespace hone::run {

/// Returns the exit code; result.json is written in every case but a crash.
int job(const std::filesystem::path& folder);

/// hone-run train SPEC: the same without a job folder; relative paths count from the spec's folder.
int train_file(const std::filesystem::path& spec);

}  // namespace hone::run
