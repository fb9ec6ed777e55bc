#include "services/server/json/reward_asked.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>

#include "feedback/base/error.h"
#include "services/shared/json.h"
#include "services/shared/pattern.h"

namespace hone::server {
namespace {

using nlohmann::json;
using shared::Fields;

// The bounds of hone-run's reader (services/run/reward_spec.cpp), which reads what is made of this.
constexpr std::size_t kPartsMax = 16;
constexpr double kWeightMax = 1e6;
constexpr Fields::Length kPattern{1, 4096}, kName{1, 64};
constexpr std::int64_t kTokensMax = 1 << 20;

/// Compiles, so that a bad pattern is refused here and not by a run that waited for its turn.
void check_pattern(Fields& part, const std::string& pattern, bool ignore_case) {
  using shared::Pattern;
  try {
    Pattern(pattern, Pattern::Kind::Regex, Pattern::Place::Anywhere,
            ignore_case ? Pattern::Case::Ignored : Pattern::Case::Exact);
  } catch (const Error& e) {
    part.refuse("pattern", e.detail());
  }
}

json exact_answer(Fields& part) {
  if (const auto pattern = part.find_text("pattern", kPattern)) {
    if (part.has("form")) part.refuse("form", "has no meaning beside \"pattern\"");
    check_pattern(part, *pattern, false);
    return {{"type", "exact_answer"}, {"pattern", *pattern}};
  }
  return {{"type", "exact_answer"},
          {"form", part.find_word("form", {"strict", "lenient"}).value_or("strict")}};
}

json regex(Fields& part) {
  const auto pattern = part.text("pattern", kPattern);
  const bool ignore_case = part.find_boolean("ignore_case").value_or(false);
  check_pattern(part, pattern, ignore_case);
  return {{"type", "regex"}, {"pattern", pattern}, {"ignore_case", ignore_case}};
}

/// What the part is: named by an id, or a verifier.
json kind_of(Fields& part) {
  const bool critic = part.has("critic"), model = part.has("model"), type = part.has("type");
  if (critic + model + type != 1)
    part.refuse(type ? "type" : "critic",
                "a reward is one of \"critic\", \"model\" and \"type\", and not several");
  if (critic) return {{"critic", part.uuid("critic")}};
  if (model) return {{"model", part.uuid("model")}};
  const auto word = part.word("type", {"exact_answer", "regex", "length"});
  if (word == "exact_answer") return exact_answer(part);
  if (word == "regex") return regex(part);
  return {{"type", "length"}, {"tokens", part.integer("tokens", 1, kTokensMax)}};
}

json part_of(const json& given, const std::string& at) {
  Fields part(given, at);
  json out = kind_of(part);
  if (const auto name = part.find_text("name", kName)) {
    if (name->find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") != std::string::npos)
      part.refuse("name", "must be of small letters, digits and _: metrics are called by it");
    out["name"] = *name;
  }
  out["weight"] = part.find_number("weight", -kWeightMax, kWeightMax).value_or(1);
  if (out["weight"] == 0) part.refuse("weight", "must not be 0");
  part.done();
  return out;
}

std::string usual_name(const json& part) {
  return part.contains("critic")  ? "critic"
         : part.contains("model") ? "model"
                                  : part["type"].get<std::string>();
}

/// The names that were given must differ; the others are "critic", "critic_2", ...
void name_parts(json& parts, const std::string& at) {
  std::set<std::string> taken;
  for (std::size_t i = 0; i < parts.size(); ++i)
    if (parts[i].contains("name") && !taken.insert(parts[i]["name"]).second)
      throw Error(Code::Invalid, "another reward has this name",
                  at + "/" + std::to_string(i) + "/name");
  for (auto& part : parts) {
    if (part.contains("name")) continue;
    const auto usual = usual_name(part);
    auto name = usual;
    for (int n = 2; !taken.insert(name).second; ++n) name = usual + "_" + std::to_string(n);
    part["name"] = name;
  }
}

}  // namespace

json parse_reward(const json& given, const std::string& at) {
  auto parts = json::array();
  if (!given.is_array()) {
    parts.push_back(part_of(given, at));
  } else {
    if (given.empty() || given.size() > kPartsMax)
      throw Error(Code::Invalid, "must name from 1 to " + std::to_string(kPartsMax) + " rewards",
                  at);
    for (std::size_t i = 0; i < given.size(); ++i)
      parts.push_back(part_of(given[i], at + "/" + std::to_string(i)));
  }
  name_parts(parts, at);
  return parts;
}

}  // namespace hone::server
