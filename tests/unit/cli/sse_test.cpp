// Server-sent events in pieces of any size.
#include "services/cli/sse.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "feedback/base/error.h"

namespace hone::cli {
namespace {

std::vector<std::string> read(const std::string& bytes, std::size_t piece) {
  std::vector<std::string> events;
  SseReader reader(
      [&](const SseEvent& e) { events.push_back(e.id + "|" + e.type + "|" + e.data); });
  for (std::size_t at = 0; at < bytes.size(); at += piece)
    reader.push(std::string_view(bytes).substr(at, piece));
  return events;
}

TEST(SseReader, GivesTheSameEventsHoweverTheBytesAreCut) {
  const std::string bytes =
      ": heartbeat\n\nid: 3\nevent: metrics\ndata: {\"a\":1}\n\nid:4\r\nevent:progress\r\ndata: "
      "x\r\ndata: y\r\n\r\ndata: z\r\rdata: not ended";
  const std::vector<std::string> expected = {"3|metrics|{\"a\":1}", "4|progress|x\ny", "4||z"};
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece)
    EXPECT_EQ(read(bytes, piece), expected) << piece;
}

TEST(SseReader, AnEventWithoutDataIsNone) { EXPECT_TRUE(read("event: end\n\n", 4).empty()); }

TEST(SseReader, ALineWithoutEndIsRefused) {
  SseReader reader([](const SseEvent&) {});
  const std::string much(1 << 20, 'x');
  EXPECT_THROW(for (int i = 0; i < 8; ++i) reader.push(much), Error);
}

}  // namespace
}  // namespace hone::cli
