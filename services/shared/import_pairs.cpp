#include "services/shared/import_pairs.h"

#include <algorithm>
#include <string_view>

#include "feedback/base/error.h"

namespace hone::shared {
namespace {

constexpr std::string_view kHuman = "\n\nHuman:";
constexpr std::string_view kAssistant = "\n\nAssistant:";

std::string trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == text.npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1));
}

}  // namespace

Messages parse_transcript(const std::string& text, const std::string& pointer, std::int64_t line) {
  const auto refuse = [&](const std::string& detail) -> void {
    throw Error(Code::Invalid, detail, pointer, line);
  };
  // The beginning of a file may have lost its blank line; no marker may be missed for that.
  const std::string_view lead =
      text.starts_with("Human:") || text.starts_with("Assistant:") ? "\n\n" : "";
  const std::string whole = std::string(lead) + text;

  Messages turns;
  std::size_t at = 0;
  while (at < whole.size()) {
    const bool human = whole.compare(at, kHuman.size(), kHuman) == 0;
    if (!human && whole.compare(at, kAssistant.size(), kAssistant) != 0)
      refuse("a transcript begins with \"\\n\\nHuman:\" or \"\\n\\nAssistant:\"");
    const std::size_t begin = at + (human ? kHuman.size() : kAssistant.size());
    const std::size_t end = std::min(whole.find(kHuman, begin), whole.find(kAssistant, begin));
    turns.push_back(
        {human ? "user" : "assistant",
         trimmed(std::string_view(whole).substr(begin, std::min(end, whole.size()) - begin))});
    if (turns.back().content.empty())
      refuse("turn " + std::to_string(turns.size()) + " (" + (human ? "Human" : "Assistant") +
             ") is empty");
    at = std::min(end, whole.size());
  }
  if (turns.empty()) refuse("the transcript is empty");
  return turns;
}

Pair split_pair(Messages chosen, Messages rejected, std::int64_t line) {
  const auto parted = std::mismatch(chosen.begin(), chosen.end(), rejected.begin(), rejected.end());
  Pair pair;
  pair.prompt.assign(chosen.begin(), parted.first);
  pair.chosen.assign(parted.first, chosen.end());
  pair.rejected.assign(parted.second, rejected.end());

  if (pair.chosen.empty() && pair.rejected.empty())
    throw Error(Code::Invalid, "chosen and rejected are the same", "", line);
  if (pair.chosen.empty())
    throw Error(Code::Invalid, "chosen is only the beginning of rejected", "/chosen", line);
  if (pair.rejected.empty())
    throw Error(Code::Invalid, "rejected is only the beginning of chosen", "/rejected", line);
  if (pair.chosen.front().role != "assistant")
    throw Error(Code::Invalid, "chosen parts from rejected in a turn that is not the assistant's",
                "/chosen", line);
  if (pair.rejected.front().role != "assistant")
    throw Error(Code::Invalid, "rejected parts from chosen in a turn that is not the assistant's",
                "/rejected", line);
  if (pair.prompt.empty())
    throw Error(Code::Invalid, "chosen and rejected share no prompt", "", line);
  return pair;
}

}  // namespace hone::shared
