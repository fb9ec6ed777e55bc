#include "rl/tokenizer/utf8.h"

#include <gtest/gtest.h>

namespace hone::rl {
namespace {

TEST(Utf8, KnowsWellFormedFromIllFormed) {
  for (const auto* good : {"", "a", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xEF\xBF\xBF",
                           "\xF4\x8F\xBF\xBF"})
    EXPECT_TRUE(valid_utf8(good)) << good;
  // Lone continuation, overlong, surrogate, above U+10FFFF, cut short, and bytes that never occur.
  for (const auto* bad : {"\x80", "\xC0\xAF", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80",
                          "\xE2\x82", "\xFF", "\xF0\x80\x80\x80", "a\xC3"})
    EXPECT_FALSE(valid_utf8(bad)) << bad;
}

TEST(Utf8, ReplacesEachMaximalSubpartOnce) {
  EXPECT_EQ(lossy_utf8("a\xE2\x82z"), "a\xEF\xBF\xBDz");               // one for the cut character
  EXPECT_EQ(lossy_utf8("\xE2\x28\xA1"), "\xEF\xBF\xBD(\xEF\xBF\xBD");  // the second byte is its own
  EXPECT_EQ(lossy_utf8("\xF0\x80\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(Utf8, TellsHowMuchOfACharacterWaitsAtTheEnd) {
  EXPECT_EQ(incomplete_tail("abc"), 0u);
  EXPECT_EQ(incomplete_tail("\xE2\x82\xAC"), 0u);
  EXPECT_EQ(incomplete_tail("a\xC3"), 1u);
  EXPECT_EQ(incomplete_tail("a\xF0\x9F\x98"), 3u);
  EXPECT_EQ(incomplete_tail("a\xF0\x80"), 0u);  // cannot become a character
  EXPECT_EQ(incomplete_tail("\x80"), 0u);
}

TEST(Utf8, WalksAndWritesEveryCodePoint) {
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string text;
    append_utf8(text, c);
    ASSERT_TRUE(valid_utf8(text));
    const auto [value, size] = code_point_at(text, 0);
    ASSERT_EQ(value, c);
    ASSERT_EQ(size, text.size());
  }
}

}  // namespace
}  // namespace hone::rl
