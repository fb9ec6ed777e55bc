// Tokens and links: one form, a checksum that finds a slip.
#include "services/shared/token.h"

#include <gtest/gtest.h>

#include <cstring>

#include "services/shared/clock.h"

namespace hone::shared {
namespace {

class Zeros : public Random {
 public:
  void fill(void* bytes, std::size_t count) override { std::memset(bytes, 0, count); }
};

TEST(Token, HasThirtyRandomDigitsAndAChecksum) {
  Zeros zeros;
  // CRC-32 of "hone_pat_" and thirty '0' is 503,278,195 by zlib.crc32: 0Y3heF in base 62.
  const auto token = new_token("pat", zeros);
  EXPECT_EQ(token,
            "hone_pat_000000000000000000000000000000"
            "0Y3heF");
  EXPECT_TRUE(is_token("pat", token));
  EXPECT_FALSE(is_token("inv", token));
}

TEST(Token, EveryChangedCharacterIsNoticed) {
  SystemRandom random;
  const auto token = new_token("pat", random);
  for (std::size_t i = 0; i < token.size(); ++i) {
    auto wrong = token;
    wrong[i] = wrong[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(is_token("pat", wrong)) << i;
  }
  EXPECT_FALSE(is_token("pat", token.substr(1)));
  EXPECT_FALSE(is_token("pat", token + "0"));
}

TEST(Token, TwoAreNeverTheSame) {
  SystemRandom random;
  EXPECT_NE(new_token("pat", random), new_token("pat", random));
}

}  // namespace
}  // namespace hone::shared
