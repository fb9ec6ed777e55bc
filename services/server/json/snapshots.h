// Snapshots as JSON: rows of the artifact, manifest, and what the API shows.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "feedback/snapshots/freeze.h"
#include "storage/repo/critics.h"
#include "storage/repo/projects.h"
#include "storage/repo/snapshots.h"

namespace hone::server {

struct SnapshotAsked {
  std::string name;                ///< empty: by its number
  std::vector<std::string> kinds;  ///< of judges
};
/// {name?, kinds?}. Throws Invalid.
SnapshotAsked parse_snapshot(const nlohmann::json& body);

/// One line of the artifact, without its line break ("answer" only where the prompt has one):
/// {"answer"?,"comparison","prompt","prompt_sha256","responses":[{"messages","sha256"},{...}],"p","strength",
///  "split","judgments":[{"id","judge","kind","flip","strength","verdict"}]}; members in
///  alphabetical order. "flip" is how often that judge is wrong, the same as in the manifest: a row
///  says by itself how much each of its judgments weighs.
/// With the line's own members anyone can compute the root again (feedback/snapshots/merkle.h).
std::string row_line(const feedback::Frozen& frozen, const feedback::FrozenRow& row,
                     const std::vector<feedback::HeadJudgment>& heads,
                     const storage::ComparisonText& text);

/// The answers of a snapshot's prompts, which no judgment names and the root does not cover.
class SnapshotAnswers {
 public:
  void add(const storage::ComparisonText& text);
  /// {"prompts", "answered", "sha256"}: a corrected answer makes another snapshot.
  nlohmann::json described() const;

 private:
  std::map<std::string, std::string> of_prompt_;  // hash of the answer, or nothing, by the prompt's
};

/// Everything that tells what was frozen and how, apart from the rows; nothing of time or chance.
nlohmann::json manifest(const feedback::Frozen& frozen,
                        const std::vector<feedback::HeadJudgment>& heads,
                        const storage::Project& project,
                        const std::vector<storage::CriticVersion>& critics,
                        const SnapshotAsked& asked, const feedback::OneCoinOptions& options,
                        const SnapshotAnswers& answers);

/// The manifest's "answers"; null of a snapshot from before there were any.
nlohmann::json answers_of(const storage::Snapshot& snapshot);

nlohmann::json to_json(const storage::Snapshot& snapshot);

}  // namespace hone::server
