#include "services/worker/folder.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

#include "feedback/base/error.h"
#include "services/shared/json.h"

namespace hone::worker {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBaseFilesMax = 1'000;

// What a person may still want to read after the end: small, and of no use to a later attempt.
bool stays(const fs::path& name) {
  static const std::array kept{"spec.json", "result.json", "run.log"};
  return std::find(kept.begin(), kept.end(), name) != kept.end();
}

std::string file_name_of(std::string name) {
  for (auto& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '_' && c != '.') c = '-';
  if (name.empty() || name.front() == '.') name.insert(0, "base");
  return name;
}

std::vector<fs::path> to_sweep(const fs::path& job_folder) {
  std::vector<fs::path> out;
  std::error_code ignored;
  for (const auto& attempt : fs::directory_iterator(job_folder, ignored)) {
    if (attempt.path().filename() == "published" || !attempt.is_directory(ignored)) continue;
    for (const auto& entry : fs::directory_iterator(attempt.path(), ignored))
      if (!stays(entry.path().filename())) out.push_back(entry.path());
  }
  return out;
}

}  // namespace

std::string attempt_name(std::int64_t epoch) { return "e" + std::to_string(epoch); }

fs::path below(const std::string& path) {
  const fs::path given(path);
  if (given.empty() || given.is_absolute())
    throw Error(Code::Invalid, "not a relative path: " + path);
  for (const auto& part : given)
    if (part == ".." || part.empty())
      throw Error(Code::Invalid, "a path that leaves its folder: " + path);
  return given;
}

std::string read_text(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw Error(Code::NotFound, "cannot read " + file.filename().string());
  std::ostringstream text;
  text << in.rdbuf();
  return std::move(text).str();
}

void write_text(const fs::path& file, std::string_view text) {
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out << text;
  out.close();
  if (!out)
    throw Error(Code::Busy, "cannot write " + file.filename().string() + "; is the disk full?");
}

void link_blob(const storage::ArtifactStore& artifacts, const std::string& sha256,
               const fs::path& to) {
  const auto blob = artifacts.path(sha256);
  std::error_code failed;
  fs::create_hard_link(blob, to, failed);
  if (failed) fs::create_symlink(fs::absolute(blob), to);
}

fs::path link_base(const storage::ArtifactStore& artifacts,
                   const storage::JobInputs::BaseInput& base, const fs::path& folder) {
  // Under its registered name, which is what hone-run calls it in cards and manifests.
  const auto place = folder / "base";
  fs::create_directories(place);
  if (base.format == "gguf") {
    const auto file = place / (file_name_of(base.name) + ".gguf");
    link_blob(artifacts, base.sha256, file);
    return file;
  }
  const auto directory = place / file_name_of(base.name);
  const auto json = shared::parse_json(artifacts.read(base.sha256));
  shared::Fields manifest(json);
  for (const auto& entry : manifest.list("files", 1, kBaseFilesMax)) {
    shared::Fields file(entry);
    const auto path = directory / below(file.text("path", {1, 400}));
    fs::create_directories(path.parent_path());
    link_blob(artifacts, file.text("sha256", {64, 64}), path);
  }
  return directory;
}

void link_version(const storage::ArtifactStore& artifacts, const storage::JobVersion& version,
                  const std::string& folder, const fs::path& directory) {
  bool any = false;
  for (const auto& file : version.files) {
    if (!file.path.starts_with(folder + "/")) continue;
    const auto path = directory / below(file.path.substr(folder.size() + 1));
    fs::create_directories(path.parent_path());
    link_blob(artifacts, file.sha256, path);
    any = true;
  }
  if (!any)
    throw Error(Code::Invalid, version.model + " version " + std::to_string(version.number) +
                                   " holds no folder " + folder);
}

void sweep_job(const fs::path& job_folder) {
  std::error_code ignored;
  for (const auto& path : to_sweep(job_folder)) fs::remove_all(path, ignored);
}

bool is_swept(const fs::path& job_folder) { return to_sweep(job_folder).empty(); }

}  // namespace hone::worker
