// Rendered conversations against transformers'; tests/golden/make_chat_vectors.py made the vectors.
#include <gtest/gtest.h>

#include <array>
#include <nlohmann/json.hpp>

#include "feedback/base/error.h"
#include "rl/chat/chat_template.h"
#include "rl/formats/files.h"

namespace hone::rl {
namespace {

RenderOptions options_of(const nlohmann::json& row) {
  if (!row.contains("now")) return {};
  const auto now = row["now"].get<std::array<int, 6>>();
  return {.now = RenderTime{now[0], now[1], now[2], now[3], now[4], now[5]}};
}

void expect_same(const Rendered& ours, const nlohmann::json& row) {
  EXPECT_EQ(ours.text, row["text"].get<std::string>());
  std::vector<std::array<std::size_t, 2>> spans;
  for (const auto& span : ours.generated) spans.push_back({span.begin, span.end});
  EXPECT_EQ(spans, row.value("generated", std::vector<std::array<std::size_t, 2>>{}));
}

TEST(GoldenChat, EveryConversationIsRenderedAsTransformersRendersIt) {
  const auto rows = nlohmann::json::parse(read_file(
      std::filesystem::path(HONE_SOURCE_DIR) / "tests/golden/rl/chat/vectors.json", 1 << 22));
  ASSERT_GE(rows.size(), 400u);
  for (const auto& row : rows) {
    SCOPED_TRACE(row.dump());
    std::vector<Message> messages;
    for (const auto& message : row["messages"])
      messages.push_back({message["role"], message["content"]});
    try {
      const auto chat =
          ChatTemplate::from_source(row["template"].get<std::string>(),
                                    row["variables"].get<std::map<std::string, std::string>>());
      const auto ours = chat->render_marked(messages, row["prompt"].get<bool>(), options_of(row));
      if (row.contains("refused"))
        ADD_FAILURE() << "the oracle refuses this, ours gives " << ours.text;
      else
        expect_same(ours, row);
    } catch (const Error& error) {
      EXPECT_TRUE(row.contains("refused")) << error.detail();
    }
  }
}

}  // namespace
}  // namespace hone::rl
