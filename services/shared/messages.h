// A conversation as JSON: [{"role": "user", "content": "..."}, ...].
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace hone::shared {

struct Message {
  std::string role;  ///< system, user or assistant
  std::string content;
  bool operator==(const Message&) const = default;
};
using Messages = std::vector<Message>;

/// Throws Invalid with the pointer of what is wrong: not a list of 1 to 1,000 messages, a role that
/// is not known, a system turn that is not the first, a content that is not text or is blank, any
/// other member (tool calls, say) that would be lost.
Messages parse_messages(const nlohmann::json& list, const std::string& pointer,
                        std::int64_t line = 0);

/// Always with the members in the same order, so that equal conversations give equal bytes.
nlohmann::json to_json(const Messages& messages);

/// True when there is nothing but ASCII white space.
bool is_blank(std::string_view text);

}  // namespace hone::shared
