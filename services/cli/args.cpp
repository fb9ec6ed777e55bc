#include "services/cli/args.h"

#include <charconv>

#include "feedback/base/error.h"

namespace hone::cli {

namespace {

template <class Number>
Number parse_number(std::string_view name, const std::string& text, const char* kind) {
  Number value{};
  const auto* end = text.data() + text.size();
  const auto [stopped, failed] = std::from_chars(text.data(), end, value);
  if (failed != std::errc() || stopped != end)
    throw Error(Code::Invalid,
                "--" + std::string(name) + " takes " + kind + ", not \"" + text + "\"");
  return value;
}

}  // namespace

Args::Args(const Syntax& syntax, const std::vector<std::string>& words) {
  bool only_positional = false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto& word = words[i];
    if (only_positional || !word.starts_with("--") || word.size() == 2) {
      if (word == "--" && !only_positional)
        only_positional = true;
      else
        positional_.push_back(word);
      continue;
    }
    const auto equals = word.find('=');
    const auto name = word.substr(2, equals == std::string::npos ? std::string::npos : equals - 2);
    if (syntax.switches.contains(name) || name == "json") {
      if (equals != std::string::npos) throw Error(Code::Invalid, "--" + name + " takes no value");
      options_.emplace(name, "");
      continue;
    }
    const bool repeated = syntax.repeated.contains(name);
    if (!repeated && !syntax.options.contains(name))
      throw Error(Code::Invalid, "unknown option --" + name);
    if (!repeated && options_.contains(name))
      throw Error(Code::Invalid, "--" + name + " is given twice");
    if (equals == std::string::npos && i + 1 == words.size())
      throw Error(Code::Invalid, "--" + name + " needs a value");
    options_.emplace(name, equals == std::string::npos ? words[++i] : word.substr(equals + 1));
  }
  if (positional_.size() < syntax.positional_min)
    throw Error(Code::Invalid, "something is missing");
  if (positional_.size() > syntax.positional_max)
    throw Error(Code::Invalid,
                "\"" + positional_[syntax.positional_max] + "\" is one word too many");
}

std::optional<std::string> Args::at_or_none(std::size_t index) const {
  if (index >= positional_.size()) return std::nullopt;
  return positional_[index];
}

bool Args::has(std::string_view name) const { return options_.find(name) != options_.end(); }

std::optional<std::string> Args::find(std::string_view name) const {
  const auto found = options_.find(name);
  if (found == options_.end()) return std::nullopt;
  return found->second;
}

std::string Args::value_or(std::string_view name, std::string fallback) const {
  return find(name).value_or(std::move(fallback));
}

std::string Args::need(std::string_view name) const {
  if (auto given = find(name)) return *given;
  throw Error(Code::Invalid, "--" + std::string(name) + " is needed");
}

std::vector<std::string> Args::all(std::string_view name) const {
  std::vector<std::string> values;
  const auto [first, last] = options_.equal_range(name);
  for (auto at = first; at != last; ++at) values.push_back(at->second);
  return values;
}

std::optional<long long> Args::integer(std::string_view name) const {
  const auto given = find(name);
  if (!given) return std::nullopt;
  return parse_number<long long>(name, *given, "a whole number");
}

std::optional<double> Args::number(std::string_view name) const {
  const auto given = find(name);
  if (!given) return std::nullopt;
  return parse_number<double>(name, *given, "a number");
}

}  // namespace hone::cli
