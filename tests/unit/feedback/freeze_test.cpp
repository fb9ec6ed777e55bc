// Heads in, rows and counts out: worked by hand on a handful of judgments.
#include <gtest/gtest.h>
#include <openssl/sha.h>

#include <algorithm>

#include "feedback/snapshots/freeze.h"
#include "feedback/snapshots/merkle.h"

namespace hone::feedback {
namespace {

Digest sha256(std::string_view bytes) {
  Digest out;
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), out.data());
  return out;
}

ComparisonFacts facts(const std::string& id, Split split = Split::Train) {
  return {id, split, "p" + id, {"a" + id, "b" + id}, {10, 20}};
}

HeadJudgment head(const std::string& id, const std::string& comparison, const std::string& judge,
                  const std::string& verdict, std::optional<int> strength,
                  const std::string& kind = "person") {
  return {id,
          comparison,
          judge,
          kind,
          verdict,
          strength,
          kind == "person" ? std::optional(0) : std::nullopt};
}

// c1: prefer slot 0 (+3); c2: tie; c3: both bad; c4 (held out): slot 1 (-1).
std::vector<HeadJudgment> four() {
  return {head("1", "c1", "ann", "prefer", 3), head("2", "c2", "ann", "tie", 0),
          head("3", "c3", "ann", "both_bad", std::nullopt), head("4", "c4", "ann", "prefer", -1)};
}
std::vector<ComparisonFacts> four_facts() {
  return {facts("c1"), facts("c2"), facts("c3"), facts("c4", Split::HeldOut)};
}

TEST(Freeze, SortsRowsByWhatTheVotesComeTo) {
  const auto frozen = freeze(four(), four_facts(), "salt", sha256);
  ASSERT_EQ(frozen.rows.size(), 4u);
  EXPECT_EQ(frozen.rows[0].kind, RowKind::Strict);
  EXPECT_NEAR(frozen.rows[0].p, 0.9, 1e-9);  // one vote of a judge with the prior's rate
  EXPECT_EQ(frozen.rows[0].strength, 3);
  EXPECT_EQ(frozen.rows[1].kind, RowKind::Tie);
  EXPECT_EQ(frozen.rows[1].p, 0.5);
  EXPECT_EQ(frozen.rows[2].kind, RowKind::BothBad);
  EXPECT_NEAR(frozen.rows[3].p, 0.1, 1e-9);
  EXPECT_EQ(frozen.train, 1);
  EXPECT_EQ(frozen.held_out, 1);
  EXPECT_EQ(frozen.ties, 1);
  EXPECT_EQ(frozen.both_bad, 1);
}

// Preferences: +3 and -1. mean |s| 2; slot 0 once of twice; left slot is 0, so left once of twice.
// The longer answer is slot 1 everywhere: it wins c4 and loses c1.
TEST(Freeze, CountsWhatTheScreensShow) {
  const auto s = freeze(four(), four_facts(), "salt", sha256).statistics;
  EXPECT_EQ(s.mean_strength, 2);
  EXPECT_EQ(s.slot0_share, 0.5);
  EXPECT_EQ(s.left_share, 0.5);
  EXPECT_EQ(s.longer_share, 0.5);
  EXPECT_EQ(s.tie_share, 0.25);
  EXPECT_EQ(s.both_bad_share, 0.25);
  EXPECT_EQ(s.people.nominal.alpha, std::nullopt);  // nobody judged anything twice
  EXPECT_EQ(s.people.nominal.items, 0);
}

TEST(Freeze, LeavesOutComparisonsNobodyJudged) {
  auto comparisons = four_facts();
  comparisons.push_back(facts("c5"));
  EXPECT_EQ(freeze(four(), comparisons, "salt", sha256).rows.size(), 4u);
}

TEST(Freeze, CountsCriticsApartFromPeople) {
  auto heads = four();
  for (int i = 1; i <= 4; ++i)
    heads.push_back(head("r" + std::to_string(i), "c" + std::to_string(i), "critic",
                         i == 4 ? "tie" : heads[static_cast<std::size_t>(i - 1)].verdict,
                         i == 1             ? std::optional(1)
                         : i == 2 || i == 4 ? std::optional(0)
                                            : std::nullopt,
                         "rule"));
  const auto frozen = freeze(heads, four_facts(), "salt", sha256);
  EXPECT_EQ(frozen.judges.size(), 2u);
  EXPECT_EQ(frozen.statistics.people.nominal.items, 0);
  EXPECT_EQ(frozen.statistics.all.nominal.items, 4);
  EXPECT_EQ(frozen.statistics.all.judges, 2);
  EXPECT_TRUE(frozen.statistics.all.nominal.alpha);
  EXPECT_EQ(frozen.rows[0].judgments.size(), 2u);
  EXPECT_EQ(frozen.rows[0].strength, 2);  // (3 + 1) / 2
}

TEST(Freeze, GivesTheSameInAnyOrderOfHeads) {
  auto heads = four();
  const auto first = freeze(heads, four_facts(), "salt", sha256);
  std::reverse(heads.begin(), heads.end());
  const auto second = freeze(heads, four_facts(), "salt", sha256);
  EXPECT_EQ(first.root, second.root);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(first.rows[i].p, second.rows[i].p);
}

TEST(Freeze, NamesJudgesByPseudonymsInTheRoot) {
  const auto frozen = freeze(four(), four_facts(), "salt", sha256);
  ASSERT_EQ(frozen.judges.size(), 1u);
  EXPECT_EQ(frozen.judges[0].name, pseudonym("salt", "ann", sha256));
  EXPECT_EQ(frozen.judges[0].judgments, 4);
  EXPECT_EQ(
      frozen.leaves[0],
      leaf_digest({"1", "c1", "pc1", {"ac1", "bc1"}, frozen.judges[0].name, "person", "prefer", 3},
                  sha256));
}

}  // namespace
}  // namespace hone::feedback
