// How the command line writes times, sizes and tables.
#include "services/cli/format.h"

#include <gtest/gtest.h>

namespace hone::cli {
namespace {

TEST(Format, TimesAreSpelledInTheTwoLargestUnits) {
  EXPECT_EQ(spell_seconds(0.4), "0 s");
  EXPECT_EQ(spell_seconds(59.4), "59 s");
  EXPECT_EQ(spell_seconds(75), "1 min 15 s");
  EXPECT_EQ(spell_seconds(7260), "2 h 01 min");
  EXPECT_EQ(spell_seconds(-3), "0 s");
}

TEST(Format, SizesAreDecimal) {
  EXPECT_EQ(spell_bytes(0), "0 B");
  EXPECT_EQ(spell_bytes(999), "999 B");
  EXPECT_EQ(spell_bytes(98362432), "98.4 MB");
  EXPECT_EQ(spell_bytes(999600), "1.0 MB");
}

TEST(Format, TableColumnsAreMeasuredInCharacters) {
  EXPECT_EQ(table({{"name", "size"}, {"für", "1 B"}, {"a", ""}}),
            "name  size\n"
            "für   1 B\n"
            "a\n");
}

}  // namespace
}  // namespace hone::cli
