#include "services/shared/messages.h"

#include <nlohmann/json.hpp>

#include "feedback/base/error.h"
#include "services/shared/json.h"

namespace hone::shared {
namespace {

constexpr std::size_t kMessagesMax = 1000;
constexpr std::size_t kContentBytesMax = 256 * 1024;

}  // namespace

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r\n\f\v") == text.npos; }

Messages parse_messages(const nlohmann::json& list, const std::string& pointer, std::int64_t line) {
  if (!list.is_array() || list.empty() || list.size() > kMessagesMax)
    throw Error(Code::Invalid, "want a list of 1 to " + std::to_string(kMessagesMax) + " messages",
                pointer, line);

  Messages out;
  for (std::size_t i = 0; i < list.size(); ++i) {
    Fields message(list[i], pointer + "/" + std::to_string(i), line);
    out.push_back({message.word("role", {"system", "user", "assistant"}),
                   message.text("content", {0, kContentBytesMax})});
    message.done();
    if (out.back().role == "system" && i > 0)
      message.refuse("role", "a system message can only be the first");
    if (is_blank(out.back().content)) message.refuse("content", "is blank");
  }
  return out;
}

nlohmann::json to_json(const Messages& messages) {
  auto out = nlohmann::json::array();
  for (const auto& message : messages)
    out.push_back({{"role", message.role}, {"content", message.content}});
  return out;
}

}  // namespace hone::shared
