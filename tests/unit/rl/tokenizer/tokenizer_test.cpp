#include "rl/tokenizer/tokenizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <thread>

#include "feedback/base/error.h"
#include "rl/formats/files.h"
#include "rl/tokenizer/utf8.h"

namespace hone::rl {
namespace {

using Ids = std::vector<std::int64_t>;

std::shared_ptr<const Tokenizer> llama3_like() {
  return Tokenizer::from_json(read_file(
      std::filesystem::path(HONE_SOURCE_DIR) / "tests/golden/rl/tokenizer/llama3_like.json",
      1 << 20));
}

TEST(Tokenizer, RefusesTextThatIsNoUtf8) {
  EXPECT_THROW(llama3_like()->encode("a\xFFz", false), Error);
}

TEST(Tokenizer, KnowsItsSpecialTokens) {
  const auto tokenizer = llama3_like();
  EXPECT_EQ(tokenizer->id_of("<|eot_id|>"), 1);
  EXPECT_TRUE(tokenizer->is_special(1));
  EXPECT_FALSE(tokenizer->is_special(5));
  EXPECT_FALSE(tokenizer->is_special(-1));
  EXPECT_FALSE(tokenizer->id_of("no such token"));
  EXPECT_EQ(tokenizer->decode(Ids{0, tokenizer->encode("a", false)[0], 1}, true), "a");
}

TEST(Tokenizer, GivesNothingForARowThatHasNoToken) {
  const auto tokenizer = llama3_like();
  EXPECT_EQ(tokenizer->decode(Ids{tokenizer->size() + 5}, false), "");
  EXPECT_THROW(tokenizer->decode(Ids{-1}, false), Error);
}

// What a sampler may draw is any sequence, not only one that encode would make.
TEST(Tokenizer, StreamsAnyIdsInWholeCharactersToTheSameText) {
  const auto tokenizer = llama3_like();
  std::mt19937 random(3);
  for (int i = 0; i < 500; ++i) {
    Ids ids;
    for (int n = 0; n < 40; ++n)
      ids.push_back(static_cast<std::int64_t>(random() % static_cast<unsigned>(tokenizer->size())));
    for (const bool skip : {false, true}) {
      Tokenizer::Stream stream(*tokenizer, skip);
      std::string text;
      for (const auto id : ids) {
        const auto part = stream.push(id);
        ASSERT_TRUE(valid_utf8(part));
        text += part;
      }
      ASSERT_EQ(text + stream.finish(), tokenizer->decode(ids, skip));
    }
  }
}

TEST(Tokenizer, HoldsACharacterBackUntilItsLastByte) {
  const auto tokenizer = llama3_like();
  const auto ids =
      tokenizer->encode("\xF0\x9F\x98\x80", false);  // not in a vocabulary of 420: four bytes
  ASSERT_EQ(ids.size(), 4u);
  Tokenizer::Stream stream(*tokenizer, false);
  EXPECT_EQ(stream.push(ids[0]), "");
  EXPECT_EQ(stream.push(ids[1]), "");
  EXPECT_EQ(stream.push(ids[2]), "");
  EXPECT_EQ(stream.push(ids[3]), "\xF0\x9F\x98\x80");
  EXPECT_EQ(stream.push(ids[0]), "");
  EXPECT_EQ(stream.finish(), "\xEF\xBF\xBD");
}

TEST(Tokenizer, MergesALongPieceAsItMergesAShortOne) {
  const auto tokenizer = llama3_like();
  // The same run of letters, once in a piece long enough for the heap, cut to what both have.
  const auto whole = tokenizer->encode(std::string(4000, 'o'), false);
  EXPECT_EQ(tokenizer->decode(whole, false), std::string(4000, 'o'));
  const auto again = tokenizer->encode(std::string(40, 'o'), false);
  ASSERT_LT(again.size(), whole.size());
  EXPECT_TRUE(std::equal(again.begin(), again.end() - 1, whole.begin()));
}

TEST(Tokenizer, ServesSeveralThreads) {
  const auto tokenizer = llama3_like();
  const std::string text = "Some words and 12345 numbers, über alles — again and again.";
  const auto wanted = tokenizer->encode(text, false);
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int n = 0; n < 200; ++n) EXPECT_EQ(tokenizer->encode(text, false), wanted);
    });
}

}  // namespace
}  // namespace hone::rl
