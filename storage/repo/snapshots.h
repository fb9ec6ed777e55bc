// Snapshots: a project's judgments or its prompts, frozen. The rows here name what was frozen; the
// bytes are an artifact.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "storage/postgres/tx.h"

namespace hone::storage {

/// The head of one judge's history of one comparison: what a snapshot freezes.
struct Head {
  JudgmentId judgment;
  ComparisonId comparison;
  JudgeId judge;
  std::string kind;             ///< person, rule, import
  std::string verdict;          ///< prefer, tie, both_bad; retracted and skipped heads do not count
  std::optional<int> strength;  ///< canonical: > 0 = slot 0 better
  std::optional<std::string> left;  ///< "0" or "1": the slot that stood on the left; people only
  bool surplus = false;
  std::string created_at;
};

/// Heads of the given kinds, ordered by judgment id, as of one instant (one statement).
std::vector<Head> list_heads(Tx& tx, const ProjectId& project,
                             const std::vector<std::string>& kinds);

/// The frozen texts of a comparison; slot 0 first. Immutable, so they can be read after the heads.
struct ComparisonText {
  ComparisonId id;
  PromptId prompt;
  std::string split, prompt_sha256;
  JsonText prompt_messages;
  std::optional<std::string> answer;  ///< the prompt's, for verifiers
  std::vector<ResponseId> response_ids;
  std::vector<JsonText> responses;
  std::vector<std::string> response_sha256;
};
/// Of these ids (up to some thousand a call), in id order.
std::vector<ComparisonText> list_comparison_texts(Tx& tx, const std::vector<ComparisonId>& ids);

/// Ids of all the project's prompts, ascending, as of one instant.
std::vector<PromptId> list_prompt_ids(Tx& tx, const ProjectId& project);

/// A prompt as a snapshot of prompts freezes it.
struct PromptText {
  PromptId id;
  std::string split, sha256;
  JsonText messages;
  std::optional<std::string> answer;  ///< for verifiers
};
/// Of these ids (up to some thousand a call), in id order.
std::vector<PromptText> list_prompt_texts(Tx& tx, const std::vector<PromptId>& ids);

/// A leaf of a snapshot of judgments; one of prompts has none here, its rows say what it holds.
struct SnapshotRow {
  std::int64_t ordinal = 0;
  JudgmentId judgment;
  std::string leaf_sha256;
  std::string split;
};

struct NewSnapshot {
  ProjectId project{};
  std::string name{};  ///< empty: "snapshot <number>"
  std::string root{};  ///< Merkle root, hex
  std::string manifest_sha256{}, artifact_sha256{};
  std::int64_t artifact_bytes = 0;
  JsonText rows{};    ///< {"train","held_out","ties","both_bad","total"}
  JsonText judges{};  ///< {"person","rule","import"}
  JsonText statistics{}, aggregation{}, manifest{};
  std::vector<SnapshotRow> leaves{};
  std::optional<UserId> created_by{};
};

struct Snapshot {
  SnapshotId id;
  ProjectId project;
  std::int64_t number = 0;
  std::string name, root, manifest_sha256, artifact_sha256;
  std::int64_t artifact_bytes = 0;
  JsonText rows, judges, statistics, aggregation, manifest;
  std::string created_at;
  bool created_now = false;
};

/// The next number of the project; freezing the same content again gives the first snapshot.
Snapshot insert_snapshot(Tx& tx, const NewSnapshot& given);
List<Snapshot> list_snapshots(Tx& tx, const ProjectId& project, const Page& page);
Snapshot get_snapshot(Tx& tx, const SnapshotId& snapshot);
enum class Contents { Any, Judgments };
/// nullopt when the project has none of such contents.
std::optional<Snapshot> find_latest_snapshot(Tx& tx, const ProjectId& project, Contents contents);

}  // namespace hone::storage
