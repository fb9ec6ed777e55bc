// Projects: one labelling question over a set of prompts, with its guideline's versions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "storage/postgres/tx.h"

namespace hone::storage {

struct ProjectCounts {
  std::int64_t prompts = 0, held_out_prompts = 0, responses = 0, comparisons = 0;
  std::int64_t open = 0;       ///< slots still to be given out
  std::int64_t judgments = 0;  ///< heads that say something: neither retracted nor skipped
  std::int64_t judgments_person = 0, judgments_rule = 0, judgments_import = 0;
};

struct Project {
  ProjectId id;
  std::string slug, name, guideline;
  std::int64_t guideline_version = 1;
  int overlap = 1;
  double held_out_share = 0.2;
  int lease_minutes = 15;
  bool paused = false;
  std::string created_at;
  std::optional<ProjectCounts> counts;  ///< filled by get_project and list_projects
};

struct NewProject {
  std::string slug{}, name{}, guideline{};
  int overlap = 1;
  double held_out_share = 0.2;
  int lease_minutes = 15;
};

/// What to change; nullopt leaves it.
struct ProjectPatch {
  std::optional<std::string> name{}, guideline{};
  std::optional<int> overlap{};
  std::optional<double> held_out_share{};
  std::optional<int> lease_minutes{};
  std::optional<bool> paused{};
};

/// With version 1 of its question set. Conflict when the team has a project of that slug.
Project insert_project(Tx& tx, const NewProject& given);
std::vector<Project> list_projects(Tx& tx);
/// NotFound also when it is another team's.
Project get_project(Tx& tx, const ProjectId& project);
std::optional<Project> find_project_by_slug(Tx& tx, const std::string& slug);
/// A new guideline is a new version of the question set; comparisons made before keep theirs. A
/// higher overlap adds slots to every item, a lower one takes back only slots nobody holds.
Project patch_project(Tx& tx, const ProjectId& project, const ProjectPatch& patch);

}  // namespace hone::storage
