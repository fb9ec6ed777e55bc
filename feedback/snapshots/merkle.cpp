#include "feedback/snapshots/merkle.h"

#include <algorithm>
#include <utility>

namespace hone::feedback {
namespace {

Digest node_digest(const Digest& left, const Digest& right, const Sha256& sha256) {
  std::string bytes(1, '\x01');
  bytes.append(left.begin(), left.end());
  bytes.append(right.begin(), right.end());
  return sha256(bytes);
}

}  // namespace

Digest leaf_digest(const JudgmentLeaf& leaf, const Sha256& sha256) {
  Framed fields;
  fields.add(leaf.judgment)
      .add(leaf.comparison)
      .add(leaf.prompt_sha256)
      .add(leaf.response_sha256[0])
      .add(leaf.response_sha256[1])
      .add(leaf.judge)
      .add(leaf.kind)
      .add(leaf.verdict)
      .add(leaf.strength ? std::to_string(*leaf.strength) : "");
  return sha256(std::string(1, '\0') + fields.bytes());
}

Digest leaf_digest(const PromptLeaf& leaf, const Sha256& sha256) {
  Framed fields;
  fields.add(leaf.prompt).add(leaf.prompt_sha256).add(leaf.split);
  if (leaf.answer) fields.add(*leaf.answer);
  return sha256(std::string(1, '\0') + fields.bytes());
}

Digest merkle_root(std::vector<JudgmentLeaf> leaves, const Sha256& sha256) {
  std::sort(leaves.begin(), leaves.end(),
            [](const JudgmentLeaf& a, const JudgmentLeaf& b) { return a.judgment < b.judgment; });

  std::vector<Digest> digests;
  digests.reserve(leaves.size());
  for (const auto& leaf : leaves) digests.push_back(leaf_digest(leaf, sha256));
  return root_of_leaves(std::move(digests), sha256);
}

Digest root_of_leaves(std::vector<Digest> level, const Sha256& sha256) {
  if (level.empty()) return sha256("");
  while (level.size() > 1) {
    std::vector<Digest> above;
    for (std::size_t i = 0; i < level.size(); i += 2)
      above.push_back(i + 1 < level.size() ? node_digest(level[i], level[i + 1], sha256)
                                           : level[i]);
    level = std::move(above);
  }
  return level.front();
}

}  // namespace hone::feedback
