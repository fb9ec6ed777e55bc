#include "services/worker/job_spec.h"

namespace hone::worker {

nlohmann::json member_or(const nlohmann::json& object, const char* name, nlohmann::json fallback) {
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? fallback : *found;
}

std::string text_of_messages(const nlohmann::json& messages) {
  std::string text;
  for (const auto& message : messages) {
    if (!text.empty()) text += '\n';
    text += message.at("content").get<std::string>();
  }
  return text;
}

}  // namespace hone::worker
