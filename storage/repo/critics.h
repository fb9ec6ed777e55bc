// Critics: named, versioned specs. Each version is one judge, never shown as a person.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "storage/postgres/tx.h"

namespace hone::storage {

struct CriticVersion {
  CriticId id;  ///< of the version: what a judge job or an evaluation names
  ProjectId project;
  JudgeId judge;
  std::string name, kind;  ///< kind: rule
  std::int64_t version = 1;
  JsonText spec;
  std::string spec_sha256, created_at;
  bool created_now = false;  ///< false when the same spec was there already
};

struct NewCritic {
  ProjectId project{};
  std::string name{};
  std::string kind = "rule";
  JsonText spec{};
  std::string spec_sha256{};  ///< of the canonical spec
  std::optional<UserId> created_by{};
};

/// The next version of the critic of that name, or the version that already has this spec.
CriticVersion insert_critic(Tx& tx, const NewCritic& given);
/// Newest first.
std::vector<CriticVersion> list_critics(Tx& tx, const ProjectId& project);
CriticVersion get_critic(Tx& tx, const CriticId& version);

}  // namespace hone::storage
