#include "services/worker/checkpoints.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "feedback/base/error.h"
#include "services/shared/json.h"
#include "services/worker/folder.h"
#include "storage/artifacts/sha256.h"

namespace hone::worker {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFilesMax = 10'000;

// Every file that `manifest` names is below `folder` with its hash.
std::optional<WholeCheckpoint> verify(const fs::path& folder, const fs::path& manifest_file) {
  try {
    const auto text = read_text(manifest_file);
    WholeCheckpoint whole{storage::sha256_hex(text), static_cast<std::int64_t>(text.size())};
    const auto json = shared::parse_json(text);
    shared::Fields manifest(json);
    const auto& files = manifest.value("files");
    if (!files.is_object() || files.empty() || files.size() > kFilesMax) return std::nullopt;
    for (const auto& [name, entry] : files.items()) {
      shared::Fields file(entry);
      const auto path = folder / below(name);
      const auto bytes = file.integer("bytes", 0, INT64_MAX);
      if (!fs::is_regular_file(fs::symlink_status(path))) return std::nullopt;
      if (static_cast<std::int64_t>(fs::file_size(path)) != bytes) return std::nullopt;
      if (storage::sha256_file_hex(path) != file.text("sha256", {64, 64})) return std::nullopt;
      whole.bytes += bytes;
    }
    return whole;
  } catch (const Error&) {
    return std::nullopt;
  } catch (const fs::filesystem_error&) {
    return std::nullopt;  // pruned while it was being read
  }
}

// Where an attempt's checkpoints are: one place, and one a seed in a run of several.
std::vector<fs::path> checkpoint_folders(const fs::path& attempt) {
  std::vector<fs::path> out{attempt / kCheckpoints};
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(attempt / "out", ignored))
    if (entry.path().filename().string().starts_with("seed-"))
      out.push_back(entry.path() / "checkpoints");
  return out;
}

// The earlier attempts' folders, newest first.
std::vector<fs::path> earlier_attempts(const fs::path& job_folder, std::int64_t epoch) {
  std::vector<fs::path> out;
  for (auto earlier = epoch - 1; earlier >= 1; --earlier)
    if (const auto folder = job_folder / attempt_name(earlier); fs::is_directory(folder))
      out.push_back(folder);
  return out;
}

// What a seed left, but its checkpoints.
void link_seed(const fs::path& from, const fs::path& to, std::error_code& failed) {
  fs::create_directories(to);
  for (const auto& entry : fs::directory_iterator(from, failed)) {
    if (entry.path().filename() == "checkpoints") continue;
    fs::copy(entry.path(), to / entry.path().filename(),
             fs::copy_options::recursive | fs::copy_options::create_hard_links, failed);
    if (failed) return;
  }
}

}  // namespace

std::optional<WholeCheckpoint> verify_checkpoint(const fs::path& folder) {
  return verify(folder, folder / "manifest.json");
}

std::optional<Resume> take_first_whole(const fs::path& job_folder,
                                       const std::vector<storage::Checkpoint>& adopted,
                                       const fs::path& into) {
  for (const auto& checkpoint : adopted) {
    const auto from = job_folder / below(checkpoint.path);
    const auto folder = into / from.filename();
    std::error_code failed;
    fs::create_directories(into);
    fs::remove_all(folder, failed);
    fs::copy(from, folder, fs::copy_options::recursive | fs::copy_options::create_hard_links,
             failed);
    const auto whole = failed ? std::nullopt : verify_checkpoint(folder);
    if (whole && whole->manifest_sha256 == checkpoint.manifest_sha256)
      return Resume{checkpoint, folder};
    fs::remove_all(folder, failed);
  }
  return std::nullopt;
}

bool take_ended_seed(const fs::path& job_folder, std::int64_t epoch, std::int64_t seed) {
  const auto name = fs::path("out") / ("seed-" + std::to_string(seed));
  const auto into = job_folder / attempt_name(epoch) / name;
  for (const auto& attempt : earlier_attempts(job_folder, epoch)) {
    const auto from = attempt / name;
    const bool ran = fs::exists(from / "hone/manifest.json");
    if (!ran && !fs::exists(from / "failure.json")) continue;
    std::error_code failed;
    link_seed(from, into, failed);
    if (!failed && (!ran || verify(into, into / "hone/manifest.json"))) return true;
    fs::remove_all(into, failed);
  }
  return false;
}

void prune_earlier_attempts(const fs::path& job_folder, std::int64_t epoch,
                            const std::vector<storage::Checkpoint>& keep) {
  std::error_code ignored;
  for (const auto& attempt : earlier_attempts(job_folder, epoch))
    for (const auto& folder : checkpoint_folders(attempt))
      for (const auto& checkpoint : fs::directory_iterator(folder, ignored)) {
        const auto kept = [&](const storage::Checkpoint& one) {
          return job_folder / one.path == checkpoint.path();
        };
        if (std::none_of(keep.begin(), keep.end(), kept))
          fs::remove_all(checkpoint.path(), ignored);
      }
}

}  // namespace hone::worker
