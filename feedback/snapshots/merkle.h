// One hash over all that a snapshot freezes, from which each single judgment or prompt can be
// proved.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "feedback/snapshots/digest.h"

namespace hone::feedback {

/// What a snapshot freezes of one judgment. All of it stands in the snapshot's JSONL, so that
/// anyone who holds the file can compute the root again.
struct JudgmentLeaf {
  std::string judgment;       ///< id; leaves are ordered by it
  std::string comparison;     ///< id
  std::string prompt_sha256;  ///< of the texts, as they are stored
  std::string response_sha256[2];
  std::string judge;  ///< pseudonym
  std::string kind;   ///< person, rule, import, ...
  std::string verdict;
  std::optional<int> strength;  ///< positive when slot 0 is better
};

/// What a snapshot of prompts freezes of one; all of it stands in its JSONL too.
struct PromptLeaf {
  std::string prompt;         ///< id; leaves are ordered by it
  std::string prompt_sha256;  ///< of its text, as it is stored
  std::string split;
  std::optional<std::string> answer;  ///< for verifiers
};

/// SHA-256(0x00 || framed fields).
Digest leaf_digest(const JudgmentLeaf& leaf, const Sha256& sha256);
/// The same; a prompt without an answer has one field less.
Digest leaf_digest(const PromptLeaf& leaf, const Sha256& sha256);

/// Root of the tree over the leaves in their order; a node is SHA-256(0x01 || left || right). A
/// level of uneven count carries its last node up unchanged, which is RFC 6962's tree: no leaf is
/// doubled, so no two different lists share a root. The root of no leaves is SHA-256 of nothing.
Digest root_of_leaves(std::vector<Digest> leaves, const Sha256& sha256);
/// The same, in ascending order of judgment id.
Digest merkle_root(std::vector<JudgmentLeaf> leaves, const Sha256& sha256);

}  // namespace hone::feedback
