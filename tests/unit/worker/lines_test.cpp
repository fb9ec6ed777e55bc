#include "services/worker/lines.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hone::worker {
namespace {

std::vector<std::string> cut(const std::vector<std::string>& pieces, std::size_t max,
                             std::size_t* dropped = nullptr) {
  std::vector<std::string> out;
  Lines lines([&](std::string_view line) { out.emplace_back(line); }, max);
  for (const auto& piece : pieces) lines.feed(piece);
  if (dropped) *dropped = lines.dropped();
  return out;
}

TEST(Lines, AreWholeHoweverTheBytesCome) {
  EXPECT_EQ(cut({"a", "b\nc", "d\n", "\n", "e\nf"}, 10),
            (std::vector<std::string>{"ab", "cd", "e"}));
}

TEST(Lines, KeepALineAtTheLimitAndDropOneAboveIt) {
  std::size_t dropped = 0;
  EXPECT_EQ(cut({"12345\n123456\n", "1234", "56\nok\n"}, 5, &dropped),
            (std::vector<std::string>{"12345", "ok"}));
  EXPECT_EQ(dropped, 2u);
}

TEST(Lines, HandOnNoLineThatMayBeCutOff) {
  EXPECT_EQ(cut({"whole\nhal"}, 10), std::vector<std::string>{"whole"});
}

}  // namespace
}  // namespace hone::worker
