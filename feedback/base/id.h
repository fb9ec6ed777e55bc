// Typed ids: a run's id cannot be passed where a project's is wanted. The value is a lowercase
// UUID text; where it comes from (UUIDv7) is storage's business.
#pragma once

#include <compare>
#include <string>

namespace hone {

template <class Tag>
struct Id {
  std::string value;
  auto operator<=>(const Id&) const = default;
};

using TeamId = Id<struct TeamTag>;
using UserId = Id<struct UserTag>;
using ProjectId = Id<struct ProjectTag>;
using PromptId = Id<struct PromptTag>;
using ResponseId = Id<struct ResponseTag>;
using ComparisonId = Id<struct ComparisonTag>;
using JudgeId = Id<struct JudgeTag>;
using CriticId = Id<struct CriticTag>;
using AssignmentId = Id<struct AssignmentTag>;
using ImpressionId = Id<struct ImpressionTag>;
using JudgmentId = Id<struct JudgmentTag>;
using SnapshotId = Id<struct SnapshotTag>;
using BaseId = Id<struct BaseTag>;
using JobId = Id<struct JobTag>;
using ModelId = Id<struct ModelTag>;
using VersionId = Id<struct VersionTag>;

}  // namespace hone
