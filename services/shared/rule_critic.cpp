#include "services/shared/rule_critic.h"

#include <cctype>
#include <cmath>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <vector>

#include "feedback/base/error.h"
#include "feedback/critics/measures.h"
#include "services/shared/json.h"
#include "services/shared/pattern.h"
#include "services/shared/utf8.h"

namespace hone::shared {
namespace {

using nlohmann::json;

constexpr std::size_t kRulesMax = 64;
constexpr std::size_t kTextMax = 4096;  // bytes of a pattern or a phrase
constexpr std::int64_t kLengthMax = 1'000'000;
constexpr double kWeightMin = 1e-6, kWeightMax = 1e6;
constexpr double kDeltaMin = 1e-9, kDeltaDefault = 0.001;

/// What one rule gives an answer, 0..1.
using Grade = std::function<double(std::string_view)>;

struct Rule {
  Grade grade;
  double weight = 1;
  json resolved;  // the rule with its defaults, for canonical()
};

std::shared_ptr<const Pattern> compile(const std::string& source, Pattern::Kind kind,
                                       Pattern::Place place, bool ignore_case,
                                       const std::string& at) {
  try {
    return std::make_shared<const Pattern>(
        source, kind, place, ignore_case ? Pattern::Case::Ignored : Pattern::Case::Exact);
  } catch (const Error& e) {
    throw Error(e.code(), e.detail(), at);
  }
}

/// Whether the pattern is found, with the rule named should the search run into its limit.
bool found(const Pattern& pattern, std::string_view answer, const std::string& at) {
  try {
    return pattern.found_in(answer);
  } catch (const Error& e) {
    throw Error(e.code(), e.detail(), at);
  }
}

Rule length_rule(Fields& fields, std::int64_t (*measure)(std::string_view),
                 double (*keep)(std::int64_t, std::int64_t)) {
  const std::int64_t bound = fields.integer("value", 1, kLengthMax);
  return {.grade = [=](std::string_view answer) { return keep(measure(answer), bound); },
          .resolved = {{"value", bound}}};
}

Rule text_rule(Fields& fields, const char* key, Pattern::Kind kind, Pattern::Place place,
               bool wanted) {
  const std::string source = fields.text(key, {1, kTextMax});
  const bool ignore_case = fields.find_boolean("ignore_case").value_or(false);
  const std::string at = fields.at(key);
  const auto pattern = compile(source, kind, place, ignore_case, at);
  return {.grade =
              [=](std::string_view answer) {
                return found(*pattern, answer, at) == wanted ? 1.0 : 0.0;
              },
          .resolved = {{key, source}, {"ignore_case", ignore_case}}};
}

Rule json_rule() {
  return {.grade = [](std::string_view answer) { return json::accept(answer) ? 1.0 : 0.0; },
          .resolved = json::object()};
}

/// Letters of the script among all letters. A text without letters is in no script.
Rule script_rule(Fields& fields) {
  const std::string script = fields.text("script", {1, 100});
  const double min_share = fields.find_number("min_share", 0, 1).value_or(0.9);
  const std::string at = fields.at("script");
  for (const char c : script)
    if (!std::isalpha(static_cast<unsigned char>(c)) && c != '_')
      fields.refuse("script",
                    "want the name of a Unicode script, like Latin, Cyrillic, Arabic or Han");
  // A script's own letters (sc), not those it shares (scx). Marks belong to the letter before them.
  std::shared_ptr<const Pattern> own;
  try {
    own = std::make_shared<const Pattern>("(?=\\p{L})\\p{sc:" + script + "}", Pattern::Kind::Regex,
                                          Pattern::Place::Anywhere, Pattern::Case::Exact);
  } catch (const Error&) {
    fields.refuse("script", "\"" + script + "\" is not a Unicode script that is known here");
  }
  const auto letters = compile("\\p{L}", Pattern::Kind::Regex, Pattern::Place::Anywhere, false, at);
  return {.grade =
              [=](std::string_view answer) {
                const auto all = static_cast<double>(letters->count_in(answer));
                return all > 0 && static_cast<double>(own->count_in(answer)) / all >= min_share
                           ? 1.0
                           : 0.0;
              },
          .resolved = {{"script", script}, {"min_share", min_share}}};
}

Rule parse_rule(const json& given, const std::string& at) {
  using feedback::count_characters, feedback::count_sentences, feedback::count_words;
  using feedback::within_maximum, feedback::within_minimum;
  constexpr auto kLiteral = Pattern::Kind::Literal;
  constexpr auto kRegex = Pattern::Kind::Regex;
  using Place = Pattern::Place;

  Fields fields(given, at);
  const std::string type = fields.text("type", {1, 100});
  const auto make = [&]() -> Rule {
    if (type == "max_words") return length_rule(fields, count_words, within_maximum);
    if (type == "min_words") return length_rule(fields, count_words, within_minimum);
    if (type == "max_chars") return length_rule(fields, count_characters, within_maximum);
    if (type == "min_chars") return length_rule(fields, count_characters, within_minimum);
    if (type == "max_sentences") return length_rule(fields, count_sentences, within_maximum);
    if (type == "contains") return text_rule(fields, "text", kLiteral, Place::Anywhere, true);
    if (type == "not_contains") return text_rule(fields, "text", kLiteral, Place::Anywhere, false);
    if (type == "starts_with") return text_rule(fields, "text", kLiteral, Place::Start, true);
    if (type == "ends_with") return text_rule(fields, "text", kLiteral, Place::End, true);
    if (type == "matches") return text_rule(fields, "pattern", kRegex, Place::Anywhere, true);
    if (type == "not_matches") return text_rule(fields, "pattern", kRegex, Place::Anywhere, false);
    if (type == "json") return json_rule();
    if (type == "script") return script_rule(fields);
    fields.refuse(
        "type",
        "unknown rule \"" + type +
            "\"; there are max_words, min_words, max_chars, min_chars, max_sentences, contains, "
            "not_contains, starts_with, ends_with, matches, not_matches, json and script");
  };
  Rule rule = make();
  rule.weight = fields.find_number("weight", kWeightMin, kWeightMax).value_or(1);
  fields.done();
  rule.resolved["type"] = type;
  rule.resolved["weight"] = rule.weight;
  return rule;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\f\v";
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

}  // namespace

struct RuleCritic::Compiled {
  std::vector<Rule> rules;
  double delta = kDeltaDefault;
  std::string canonical;
};

RuleCritic RuleCritic::parse(const json& spec, std::string_view at) {
  Fields fields(spec, std::string(at));
  auto compiled = std::make_shared<Compiled>();
  const json& rules = fields.list("rules", 1, kRulesMax);
  compiled->delta = fields.find_number("delta", kDeltaMin, 1).value_or(kDeltaDefault);
  fields.done();

  json resolved = json::array();
  for (std::size_t i = 0; i < rules.size(); ++i) {
    compiled->rules.push_back(parse_rule(rules[i], fields.at("rules") + "/" + std::to_string(i)));
    resolved.push_back(compiled->rules.back().resolved);
  }
  compiled->canonical = json{{"rules", resolved}, {"delta", compiled->delta}}.dump();
  return RuleCritic(std::move(compiled));
}

RuleCritic RuleCritic::parse_text(std::string_view json_text) {
  return parse(parse_json(json_text));
}

double RuleCritic::score(std::string_view answer) const {
  const std::string text = repair_utf8(trimmed(answer));
  double sum = 0, weights = 0;
  for (const auto& rule : compiled_->rules) {
    sum += rule.weight * rule.grade(text);
    weights += rule.weight;
  }
  return sum / weights;
}

RuleVerdict RuleCritic::compare(std::string_view /*prompt_text*/, std::string_view a,
                                std::string_view b) const {
  RuleVerdict verdict{.score_a = score(a), .score_b = score(b)};
  const auto [choice, strength] =
      feedback::verdict_of_scores(verdict.score_a, verdict.score_b, compiled_->delta);
  verdict.choice = choice;
  verdict.strength = strength;
  return verdict;
}

const std::string& RuleCritic::canonical() const { return compiled_->canonical; }

}  // namespace hone::shared
