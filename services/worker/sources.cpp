#include "services/worker/sources.h"

#include <algorithm>

#include "feedback/base/error.h"
#include "services/shared/json.h"
#include "services/worker/folder.h"
#include "services/worker/job_spec.h"
#include "storage/repo/worker_reads.h"

namespace hone::worker {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

struct Part {
  json spec, lineage;
};

/// Everything that the spec names by an id, read once.
struct Named {
  std::vector<storage::JobInputs::CriticInput> critics;
  std::vector<storage::JobVersion> versions;

  template <class Row>
  static const Row& of(const std::vector<Row>& rows, const std::string& id, const char* what) {
    const auto found =
        std::find_if(rows.begin(), rows.end(), [&](const Row& row) { return row.id.value == id; });
    if (found == rows.end())
      throw Error(Code::Invalid, std::string("the run names a ") + what + " that is not there");
    return *found;
  }
};

json about(const storage::JobVersion& version) {
  return {{"id", version.id.value},
          {"name", version.model},
          {"version", version.number},
          {"manifest_sha256", version.manifest_sha256}};
}

Part critic_part(const storage::JobInputs::CriticInput& critic) {
  return {{{"type", "rule"}, {"rule", shared::parse_json(critic.spec)}},
          {{"critic",
            {{"id", critic.id.value},
             {"name", critic.name},
             {"version", critic.version},
             {"spec_sha256", critic.spec_sha256}}}}};
}

// Its scores are taken in the units in which it was published: (score - offset) * scale.
Part model_part(const Attempt& attempt, const storage::JobVersion& version) {
  const auto directory = attempt.folder() / "versions" / version.id.value;
  if (!fs::exists(directory))  // "gold" may name what "reward" named
    link_version(attempt.store.artifacts, version, "reward", directory);
  const auto units = std::find_if(
      version.files.begin(), version.files.end(),
      [](const storage::VersionFile& file) { return file.path == "hone/reward.json"; });
  if (units == version.files.end())
    throw Error(Code::Invalid, version.model + " holds no hone/reward.json");
  const auto fitted = shared::parse_json(attempt.store.artifacts.read(units->sha256));
  return {{{"type", "reward_model"},
           {"path", directory.string()},
           {"offset", fitted.at("offset")},
           {"scale", fitted.at("scale")}},
          {{"model", about(version)}}};
}

Part reward_part(const Attempt& attempt, const Named& named, const json& asked) {
  Part part;
  if (asked.contains("critic")) {
    part = critic_part(Named::of(named.critics, asked["critic"], "critic"));
  } else if (asked.contains("model")) {
    part = model_part(attempt, Named::of(named.versions, asked["model"], "reward model"));
  } else {
    part = {asked, asked};
  }
  for (const char* name : {"name", "weight"})
    if (asked.contains(name)) part.spec[name] = part.lineage[name] = asked[name];
  return part;
}

Part teacher_of(Attempt& attempt, const Named& named, const json& asked) {
  const auto place = attempt.folder() / "teacher";
  fs::create_directories(place);
  if (asked.contains("model")) {
    const auto& version = Named::of(named.versions, asked["model"], "teacher");
    link_version(attempt.store.artifacts, version, "hf", place / version.model);
    return {(place / version.model).string(), {{"model", about(version)}}};
  }
  const auto base = attempt.patiently(
      [&](storage::Tx& tx) { return storage::find_job_teacher(tx, attempt.lease); });
  if (!base) throw Error(Code::Invalid, "the run names a teacher that is not there");
  return {link_base(attempt.store.artifacts, *base, place).string(),
          {{"base", {{"id", base->id.value}, {"name", base->name}, {"sha256", base->sha256}}}}};
}

}  // namespace

Sources lay_out_sources(Attempt& attempt, const json& job) {
  Sources out{json::object(), json::object()};
  if (!job.contains("reward") && !job.contains("gold") && !job.contains("teacher")) return out;
  const auto named = attempt.patiently([&](storage::Tx& tx) {
    return Named{storage::list_job_critics(tx, attempt.lease),
                 storage::list_job_versions(tx, attempt.lease)};
  });
  for (const char* name : {"reward", "gold"})
    for (const auto& asked : member_or(job, name, json::array())) {
      auto part = reward_part(attempt, named, asked);
      out.spec[name].push_back(std::move(part.spec));
      out.lineage[name].push_back(std::move(part.lineage));
    }
  if (job.contains("teacher")) {
    auto teacher = teacher_of(attempt, named, job["teacher"]);
    out.spec["teacher"] = std::move(teacher.spec);
    out.lineage["teacher"] = std::move(teacher.lineage);
  }
  return out;
}

}  // namespace hone::worker
