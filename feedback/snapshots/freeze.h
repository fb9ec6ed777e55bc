// What a snapshot says, computed from the heads of all judgments: one row per comparison, the
// judges under pseudonyms, the root, the statistics. The same judgments give the same bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "feedback/snapshots/digest.h"
#include "feedback/snapshots/split.h"
#include "feedback/statistics/aggregation.h"
#include "feedback/statistics/agreement.h"

namespace hone::feedback {

/// The head of one judge's history of one comparison. Skips and retractions are no heads.
struct HeadJudgment {
  std::string judgment, comparison, judge;  ///< ids
  std::string kind;                         ///< person, import, or a critic's: rule, ...
  std::string verdict;                      ///< prefer, tie, both_bad
  std::optional<int> strength;              ///< positive when slot 0 is better
  std::optional<int> left_slot;             ///< which slot stood on the left; people only
};

/// A comparison without its texts.
struct ComparisonFacts {
  std::string id;
  Split split = Split::Train;
  std::string prompt_sha256;
  std::string response_sha256[2];
  std::int64_t length[2] = {0, 0};  ///< characters of each answer
};

/// What the votes on one comparison come to.
enum class RowKind {
  Strict,   ///< one answer is the likelier better one: a pair to train on
  Tie,      ///< even
  BothBad,  ///< everyone who judged it says so
};

struct FrozenRow {
  std::size_t comparison = 0;  ///< in the given order
  RowKind kind = RowKind::Tie;
  double p = 0.5;                      ///< probability that slot 0 is the better answer
  double strength = 0;                 ///< mean over its preferences and ties
  std::vector<std::size_t> judgments;  ///< of this comparison, in order of their ids
};

struct FrozenJudge {
  std::string id;
  std::string name;  ///< pseudonym
  std::string kind;
  double flip = 0;  ///< rate of being wrong, fitted on the training split
  std::int64_t judgments = 0;
};

struct FrozenAgreement {
  Agreement nominal;                 ///< on {slot 0, slot 1, tie, both bad}
  std::optional<Interval> interval;  ///< 95 %, of `nominal`
  std::int64_t judges = 0;           ///< with an answer on those items
};

struct FrozenStatistics {
  FrozenAgreement people;  ///< kind person only
  FrozenAgreement all;     ///< every judge; a critic's agreement with people shows here alone
  std::optional<double> mean_strength;  ///< of |strength| over preferences
  std::optional<double> slot0_share;    ///< of preferences; slots lie by hash, so 0.5 is expected
  std::optional<double> left_share;     ///< of people's preferences: a lean to one side shows here
  std::optional<double> longer_share;   ///< of strict rows where the longer answer wins
  std::optional<double> tie_share, both_bad_share;  ///< of judgments
};

struct Frozen {
  std::vector<FrozenRow> rows;        ///< by comparison id; those with a judgment
  std::vector<FrozenJudge> judges;    ///< by name
  std::vector<std::size_t> judge_of;  ///< per head: which of `judges`
  std::vector<Digest> leaves;         ///< per head
  Digest root{};
  std::int64_t train = 0, held_out = 0;  ///< strict rows of each split
  std::int64_t ties = 0, both_bad = 0;   ///< the other rows, of both splits
  FrozenStatistics statistics;
};

/// True for judges whose errors are taken to be correlated: all but people and imports.
bool is_critic(const std::string& kind);

/// `comparisons` are in ascending order of id and hold every one that `heads` name. `salt` makes
/// the pseudonyms.
Frozen freeze(const std::vector<HeadJudgment>& heads,
              const std::vector<ComparisonFacts>& comparisons, const std::string& salt,
              const Sha256& sha256, const OneCoinOptions& options = {});

}  // namespace hone::feedback
