// Snapshots as JSON: rows of the artifact, manifest, and what the API shows.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "feedback/snapshots/freeze.h"
#include "storage/repo/critics.h"
#include "storage/repo/projects.h"
#include "storage/repo/snapshots.h"

namespace hone::server {

struct SnapshotAsked {
  std::string name;                ///< empty: by its number
  bool prompts = false;            ///< the project's prompts alone, judged or not
  std::vector<std::string> kinds;  ///< of judges
};
/// {name?, contents?: "judgments" | "prompts", kinds?}. Throws Invalid.
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

/// One line of a snapshot of prompts: {"answer"?,"id","prompt","prompt_sha256","split"}.
std::string row_line(const storage::PromptText& text);

/// The answers of a snapshot's prompts, which no judgment names and no root of judgments covers.
class SnapshotAnswers {
 public:
  void add(const std::string& prompt_sha256, const std::optional<std::string>& answer);
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

/// The same of a snapshot of prompts.
struct PromptCounts {
  std::int64_t train = 0, held_out = 0;
};
nlohmann::json manifest(const feedback::Digest& root, const PromptCounts& counts,
                        const storage::Project& project, const SnapshotAnswers& answers);

/// Whether it froze prompts alone, which its manifest's "contents" says: there is no pair in it.
bool holds_prompts(const storage::Snapshot& snapshot);

/// The manifest's "answers"; null of a snapshot from before there were any.
nlohmann::json answers_of(const storage::Snapshot& snapshot);

nlohmann::json to_json(const storage::Snapshot& snapshot);

}  // namespace hone::server
