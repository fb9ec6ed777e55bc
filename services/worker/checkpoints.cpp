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

}  // namespace

std::optional<WholeCheckpoint> verify_checkpoint(const fs::path& folder) {
  try {
    const auto text = read_text(folder / "manifest.json");
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

void prune_earlier_attempts(const fs::path& job_folder, std::int64_t epoch,
                            const std::vector<storage::Checkpoint>& keep) {
  std::error_code ignored;
  for (const auto& attempt : fs::directory_iterator(job_folder, ignored)) {
    const auto name = attempt.path().filename().string();
    if (!attempt.is_directory(ignored) || !name.starts_with('e') || name == attempt_name(epoch))
      continue;
    for (const auto& checkpoint : fs::directory_iterator(attempt.path() / kCheckpoints, ignored)) {
      const auto kept = [&](const storage::Checkpoint& one) {
        return job_folder / one.path == checkpoint.path();
      };
      if (std::none_of(keep.begin(), keep.end(), kept)) fs::remove_all(checkpoint.path(), ignored);
    }
  }
}

}  // namespace hone::worker
