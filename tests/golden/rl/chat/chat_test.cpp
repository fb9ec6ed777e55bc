// Rendered conversations against transformers'; tests/golden/make_chat_vectors.py made the vectors.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "feedback/base/error.h"
#include "rl/chat/chat_template.h"
#include "rl/formats/files.h"

namespace hone::rl {
namespace {

TEST(GoldenChat, EveryConversationIsRenderedAsTransformersRendersIt) {
  const auto rows = nlohmann::json::parse(read_file(
      std::filesystem::path(HONE_SOURCE_DIR) / "tests/golden/rl/chat/vectors.json", 1 << 22));
  ASSERT_GE(rows.size(), 150u);
  for (const auto& row : rows) {
    SCOPED_TRACE(row.dump());
    std::vector<Message> messages;
    for (const auto& message : row["messages"])
      messages.push_back({message["role"], message["content"]});
    try {
      const auto chat =
          ChatTemplate::from_source(row["template"].get<std::string>(),
                                    row["variables"].get<std::map<std::string, std::string>>());
      const auto text = chat->render(messages, row["prompt"].get<bool>());
      if (row.contains("refused"))
        ADD_FAILURE() << "the oracle refuses this, ours gives " << text;
      else
        EXPECT_EQ(text, row["text"].get<std::string>());
    } catch (const Error& error) {
      EXPECT_TRUE(row.contains("refused")) << error.detail();
    }
  }
}

}  // namespace
}  // namespace hone::rl
