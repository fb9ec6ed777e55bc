#include "feedback/snapshots/freeze.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdlib>
#include <map>
#include <set>

#include "feedback/snapshots/merkle.h"

namespace hone::feedback {
namespace {

constexpr int kBootstrapRounds = 200;
constexpr std::int64_t kBootstrapItemsMax = 5000;  // above it the interval is narrow and slow

Vote vote_of(const HeadJudgment& head) {
  if (head.verdict != "prefer" || !head.strength || *head.strength == 0) return Vote::Neither;
  return *head.strength > 0 ? Vote::First : Vote::Second;
}

double nominal_value(const HeadJudgment& head) {
  switch (vote_of(head)) {
    case Vote::First:
      return 0;
    case Vote::Second:
      return 1;
    case Vote::Neither:
      break;
  }
  return head.verdict == "both_bad" ? 3 : 2;
}

/// Seeded by the root, so that an interval replays (splitmix64).
class Drawer {
 public:
  explicit Drawer(const Digest& seed) {
    for (int i = 0; i < 8; ++i) state_ = state_ << 8 | seed[static_cast<std::size_t>(i)];
  }
  std::size_t below(std::size_t n) {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return static_cast<std::size_t>((z ^ (z >> 31)) % n);
  }

 private:
  std::uint64_t state_ = 0;
};

/// Accumulates a share; empty until something was counted.
struct Share {
  double sum = 0, count = 0;
  void add(double value) {
    sum += value;
    ++count;
  }
  std::optional<double> mean() const {
    return count > 0 ? std::optional(sum / count) : std::nullopt;
  }
};

FrozenAgreement agreement_among(const std::vector<HeadJudgment>& heads,
                                const std::vector<FrozenRow>& rows, const Digest& seed,
                                bool people_only) {
  std::vector<Unit> units;
  std::set<std::string> judges;
  for (const auto& row : rows) {
    Unit unit;
    std::vector<std::string> names;
    for (const std::size_t at : row.judgments)
      if (!people_only || heads[at].kind == "person") {
        unit.push_back(nominal_value(heads[at]));
        names.push_back(heads[at].judge);
      }
    if (unit.size() < 2) continue;
    judges.insert(names.begin(), names.end());
    units.push_back(std::move(unit));
  }
  FrozenAgreement out;
  out.nominal = krippendorff_alpha(units, Scale::Nominal);
  out.judges = static_cast<std::int64_t>(judges.size());
  if (out.nominal.alpha && out.nominal.items <= kBootstrapItemsMax) {
    Drawer drawer(seed);
    out.interval = alpha_interval(units, Scale::Nominal, kBootstrapRounds,
                                  [&](std::size_t n) { return drawer.below(n); });
  }
  return out;
}

FrozenStatistics statistics_of(const std::vector<HeadJudgment>& heads,
                               const std::vector<ComparisonFacts>& comparisons,
                               const Frozen& frozen) {
  FrozenStatistics out;
  Share strength, slot0, left, longer, tie, both_bad;
  for (const auto& head : heads) {
    const Vote vote = vote_of(head);
    tie.add(head.verdict == "tie");
    both_bad.add(head.verdict == "both_bad");
    if (vote == Vote::Neither) continue;
    const int chosen = vote == Vote::First ? 0 : 1;
    strength.add(std::abs(*head.strength));
    slot0.add(chosen == 0);
    if (head.left_slot) left.add(chosen == *head.left_slot);
  }
  for (const auto& row : frozen.rows) {
    const auto& length = comparisons[row.comparison].length;
    if (row.kind == RowKind::Strict && length[0] != length[1])
      longer.add((row.p > 0.5) == (length[0] > length[1]));
  }
  out.people = agreement_among(heads, frozen.rows, frozen.root, /*people_only=*/true);
  out.all = agreement_among(heads, frozen.rows, frozen.root, /*people_only=*/false);
  out.mean_strength = strength.mean();
  out.slot0_share = slot0.mean();
  out.left_share = left.mean();
  out.longer_share = longer.mean();
  out.tie_share = tie.mean();
  out.both_bad_share = both_bad.mean();
  return out;
}

/// The judges of the heads, by pseudonym; `judge_of` says whose each head is.
void name_judges(const std::vector<HeadJudgment>& heads, const std::string& salt,
                 const Sha256& sha256, Frozen& out) {
  std::map<std::string, FrozenJudge> by_id;
  for (const auto& head : heads) {
    auto& judge = by_id[head.judge];
    if (judge.name.empty())
      judge = {head.judge, pseudonym(salt, head.judge, sha256), head.kind, 0, 0};
    ++judge.judgments;
  }
  for (auto& [id, judge] : by_id) out.judges.push_back(judge);
  std::sort(out.judges.begin(), out.judges.end(),
            [](const FrozenJudge& a, const FrozenJudge& b) { return a.name < b.name; });
  std::map<std::string, std::size_t> place;
  for (std::size_t i = 0; i < out.judges.size(); ++i) place[out.judges[i].id] = i;
  for (const auto& head : heads) out.judge_of.push_back(place[head.judge]);
}

RowKind kind_of(const FrozenRow& row, const std::vector<HeadJudgment>& heads) {
  if (row.p != 0.5) return RowKind::Strict;
  const bool all_bad = std::all_of(row.judgments.begin(), row.judgments.end(),
                                   [&](std::size_t at) { return heads[at].verdict == "both_bad"; });
  return all_bad ? RowKind::BothBad : RowKind::Tie;
}

}  // namespace

bool is_critic(const std::string& kind) { return kind != "person" && kind != "import"; }

Frozen freeze(const std::vector<HeadJudgment>& heads,
              const std::vector<ComparisonFacts>& comparisons, const std::string& salt,
              const Sha256& sha256, const OneCoinOptions& options) {
  Frozen out;
  name_judges(heads, salt, sha256, out);

  std::map<std::string, std::size_t> place;
  for (std::size_t i = 0; i < comparisons.size(); ++i) place[comparisons[i].id] = i;
  std::vector<Ballot> ballots;
  std::vector<FrozenRow> rows(comparisons.size());
  std::vector<JudgmentLeaf> leaves;
  for (std::size_t at = 0; at < heads.size(); ++at) {
    const auto& head = heads[at];
    assert(place.count(head.comparison));
    const std::size_t i = place[head.comparison];
    const auto& facts = comparisons[i];
    ballots.push_back({i, out.judge_of[at], vote_of(head)});
    rows[i].judgments.push_back(at);
    leaves.push_back({head.judgment,
                      head.comparison,
                      facts.prompt_sha256,
                      {facts.response_sha256[0], facts.response_sha256[1]},
                      out.judges[out.judge_of[at]].name,
                      head.kind,
                      head.verdict,
                      head.strength});
    out.leaves.push_back(leaf_digest(leaves.back(), sha256));
  }
  out.root = merkle_root(std::move(leaves), sha256);

  std::vector<bool> fit, panel;
  for (const auto& facts : comparisons) fit.push_back(facts.split == Split::Train);
  for (const auto& judge : out.judges) panel.push_back(is_critic(judge.kind));
  const OneCoin fitted = fit_one_coin(ballots, fit, panel, options);
  for (std::size_t w = 0; w < out.judges.size(); ++w) out.judges[w].flip = fitted.flip[w];

  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto& row = rows[i];
    if (row.judgments.empty()) continue;
    std::sort(row.judgments.begin(), row.judgments.end(),
              [&](std::size_t a, std::size_t b) { return heads[a].judgment < heads[b].judgment; });
    row.comparison = i;
    row.p = fitted.p[i];
    row.kind = kind_of(row, heads);
    Share strength;
    for (const std::size_t at : row.judgments)
      if (heads[at].strength) strength.add(*heads[at].strength);
    row.strength = strength.mean().value_or(0);
    const bool train = comparisons[i].split == Split::Train;
    if (row.kind == RowKind::Strict) ++(train ? out.train : out.held_out);
    if (row.kind == RowKind::Tie) ++out.ties;
    if (row.kind == RowKind::BothBad) ++out.both_bad;
    out.rows.push_back(std::move(row));
  }
  out.statistics = statistics_of(heads, comparisons, out);
  return out;
}

}  // namespace hone::feedback
