// What a snapshot's root covers, and how judges are named in it.
#include <gtest/gtest.h>
#include <openssl/sha.h>

#include <set>

#include "feedback/snapshots/merkle.h"
#include "feedback/snapshots/split.h"

namespace hone::feedback {
namespace {

Digest sha256(std::string_view bytes) {
  Digest out;
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), out.data());
  return out;
}

JudgmentLeaf leaf(int n) {
  return {.judgment = "judgment-" + std::to_string(n),
          .comparison = "comparison",
          .prompt_sha256 = "aa",
          .response_sha256 = {"bb", "cc"},
          .judge = "j1",
          .kind = "person",
          .verdict = "prefer",
          .strength = 2};
}

std::string bytes_of(const Digest& digest) { return std::string(digest.begin(), digest.end()); }

TEST(Framed, TellsListsApartThatJoinToTheSameText) {
  EXPECT_NE(Framed().add("ab").add("c").bytes(), Framed().add("a").add("bc").bytes());
  EXPECT_NE(Framed().add("").bytes(), Framed().bytes());
  EXPECT_EQ(Framed().add("hi").bytes(), std::string("\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2hi", 18));
}

// Three leaves: node(node(a, b), c), the uneven one carried up.
TEST(MerkleRoot, IsTheTreeDrawnByHand) {
  const auto a = leaf_digest(leaf(1), sha256), b = leaf_digest(leaf(2), sha256),
             c = leaf_digest(leaf(3), sha256);
  const auto ab = sha256("\x01" + bytes_of(a) + bytes_of(b));
  const auto root = sha256("\x01" + bytes_of(ab) + bytes_of(c));
  EXPECT_EQ(merkle_root({leaf(1), leaf(2), leaf(3)}, sha256), root);
  EXPECT_EQ(merkle_root({leaf(1)}, sha256), a);
  EXPECT_EQ(to_hex(merkle_root({}, sha256)),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(MerkleRoot, DoesNotDependOnTheOrderOfRows) {
  EXPECT_EQ(merkle_root({leaf(3), leaf(1), leaf(2)}, sha256),
            merkle_root({leaf(1), leaf(2), leaf(3)}, sha256));
}

TEST(MerkleRoot, DiffersWhenALeafIsDoubled) {
  EXPECT_NE(merkle_root({leaf(1), leaf(2), leaf(3)}, sha256),
            merkle_root({leaf(1), leaf(2), leaf(3), leaf(3)}, sha256));
}

TEST(PromptLeaf, IsItsFramedFieldsAndAnAnswerIsOneOnlyWhereThereIsOne) {
  const PromptLeaf bare{"p", "aa", "train", std::nullopt};
  EXPECT_EQ(leaf_digest(bare, sha256),
            sha256(std::string(1, '\0') + Framed().add("p").add("aa").add("train").bytes()));
  std::set<Digest> all{leaf_digest(bare, sha256)};
  for (const PromptLeaf& other :
       {PromptLeaf{"q", "aa", "train", std::nullopt}, PromptLeaf{"p", "bb", "train", std::nullopt},
        PromptLeaf{"p", "aa", "held_out", std::nullopt}, PromptLeaf{"p", "aa", "train", ""},
        PromptLeaf{"p", "aa", "train", "7"}})
    EXPECT_TRUE(all.insert(leaf_digest(other, sha256)).second);
}

TEST(MerkleRoot, ChangesWithEveryField) {
  std::set<std::string> roots{to_hex(merkle_root({leaf(1)}, sha256))};
  const auto changed = [&](auto change) {
    auto other = leaf(1);
    change(other);
    return roots.insert(to_hex(merkle_root({other}, sha256))).second;
  };
  EXPECT_TRUE(changed([](auto& l) { l.judgment = "x"; }));
  EXPECT_TRUE(changed([](auto& l) { l.comparison = "x"; }));
  EXPECT_TRUE(changed([](auto& l) { l.prompt_sha256 = "x"; }));
  EXPECT_TRUE(changed([](auto& l) { l.response_sha256[0] = "x"; }));
  EXPECT_TRUE(changed([](auto& l) { l.response_sha256[1] = "x"; }));
  EXPECT_TRUE(changed([](auto& l) { l.judge = "x"; }));
  EXPECT_TRUE(changed([](auto& l) { l.kind = "x"; }));
  EXPECT_TRUE(changed([](auto& l) { l.verdict = "tie"; }));
  EXPECT_TRUE(changed([](auto& l) { l.strength = -2; }));
  EXPECT_TRUE(changed([](auto& l) { l.strength.reset(); }));
}

TEST(Pseudonym, IsStableUnderOneSaltOnly) {
  EXPECT_EQ(pseudonym("salt", "judge", sha256), pseudonym("salt", "judge", sha256));
  EXPECT_NE(pseudonym("salt", "judge", sha256), pseudonym("pepper", "judge", sha256));
  EXPECT_NE(pseudonym("salt", "judge", sha256), pseudonym("salt", "other", sha256));
  EXPECT_EQ(pseudonym("salt", "judge", sha256).size(), 11u);
}

}  // namespace
}  // namespace hone::feedback
