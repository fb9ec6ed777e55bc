#include "rl/reward/exact_answer.h"

#include <algorithm>
#include <cctype>
#include <string_view>

#include "feedback/base/error.h"

namespace hone::rl {
namespace {

// A sign counts where nothing stands before it that it could be subtracted from.
constexpr std::string_view kNumber =
    R"(((?:(?<![\w)])(?:-\$?|\$-?)|\$)?(?:[0-9][0-9,]*(?:\.[0-9]+)?|\.[0-9]+)))";
constexpr std::string_view kAfterHashes =
    R"(####\s*((?:-?\$?-?)(?:[0-9][0-9,]*(?:\.[0-9]+)?|\.[0-9]+)))";

const Regex& last_number() {
  static const Regex pattern(kNumber);
  return pattern;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\f\v";
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// [-+]digits[.digits] in its shortest form; nothing for anything else.
std::optional<std::string> shortest_number(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  const auto point = std::min(text.find('.'), text.size());
  auto whole = text.substr(0, point);
  auto part = point < text.size() ? text.substr(point + 1) : std::string_view{};
  if (whole.empty() && part.empty()) return std::nullopt;
  if (!std::all_of(whole.begin(), whole.end(), is_digit) ||
      !std::all_of(part.begin(), part.end(), is_digit))
    return std::nullopt;
  whole.remove_prefix(std::min(whole.find_first_not_of('0'), whole.size()));
  part = part.substr(0, part.find_last_not_of('0') + 1);  // npos + 1 is 0
  std::string out(whole.empty() ? "0" : whole);
  if (!part.empty()) out += "." + std::string(part);
  return negative && out != "0" ? "-" + out : out;
}

}  // namespace

std::string normalised_answer(std::string_view text) {
  text = trimmed(text);
  while (text.ends_with('.')) text = trimmed(text.substr(0, text.size() - 1));
  std::string plain;
  for (const char c : text)
    if (c != ',' && c != '$') plain += c;
  if (auto number = shortest_number(plain)) return *number;
  return std::string(text);
}

ExactAnswerReward::ExactAnswerReward(std::string name, const ExactAnswerOptions& options)
    : name_(std::move(name)),
      pattern_(options.pattern  ? Regex(*options.pattern)
               : options.strict ? Regex(kAfterHashes)
                                : last_number()),
      own_pattern_(options.pattern.has_value()) {
  if (pattern_.groups() != 1)
    throw Error(Code::Invalid, "the pattern must have one group ( ), around the answer", "pattern");
}

std::string ExactAnswerReward::reference_of(const PromptRow& prompt) const {
  if (trimmed(prompt.answer).empty())
    throw Error(Code::Invalid,
                "line " + std::to_string(prompt.line) +
                    ": answer is missing: exact_answer compares with it",
                "answer", prompt.line);
  std::string found;
  if (pattern_.find_last(prompt.answer, found) == Regex::Outcome::Found)
    return normalised_answer(found);
  if (!own_pattern_ && last_number().find_last(prompt.answer, found) == Regex::Outcome::Found)
    return normalised_answer(found);
  return normalised_answer(prompt.answer);
}

std::vector<Score> ExactAnswerReward::score(std::span<const Completion> completions) {
  std::vector<Score> out;
  for (const auto& completion : completions) {
    const auto wanted = reference_of(*completion.prompt);
    std::string found;
    const auto outcome = pattern_.find_last(completion.text, found);
    const bool right = outcome == Regex::Outcome::Found && normalised_answer(found) == wanted;
    out.push_back({.value = right ? 1.0 : 0.0, .scored = outcome != Regex::Outcome::Failed});
  }
  return out;
}

}  // namespace hone::rl
