#include "services/run/reward_spec.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>

#include "feedback/base/error.h"
#include "rl/formats/base.h"
#include "rl/formats/files.h"
#include "rl/reward/exact_answer.h"
#include "rl/reward/verifiers.h"
#include "services/run/loading.h"
#include "services/shared/json.h"
#include "services/shared/rule_critic.h"

namespace hone::run {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using shared::Fields;

constexpr std::size_t kPartsMax = 16;
constexpr Fields::Length kPattern{1, 4096}, kPath{1, 4096}, kName{1, 64};
constexpr double kWeightMax = 1e6;

/// Compiles now, so that a bad pattern is told with the spec and not when the first answer comes.
template <class Make>
auto checked(Fields& fields, const char* key, const Make& make) {
  try {
    return make();
  } catch (const Error& e) {
    fields.refuse(key, e.detail());
  }
}

json rule_part(Fields& fields, RewardPart& part) {
  const auto critic = shared::RuleCritic::parse(fields.value("rule"), fields.at("rule"));
  part.make = [critic, name = part.name](const RewardSetting&) {
    return std::make_unique<rl::FunctionReward>(
        name, [critic](const rl::Completion& completion) { return critic.score(completion.text); });
  };
  return {{"rule", json::parse(critic.canonical())}};
}

json exact_answer_part(Fields& fields, RewardPart& part) {
  rl::ExactAnswerOptions options;
  json resolved;
  options.pattern = fields.find_text("pattern", kPattern);
  if (options.pattern) {
    if (fields.has("form")) fields.refuse("form", "has no meaning beside \"pattern\"");
    resolved["pattern"] = *options.pattern;
  } else {
    const auto form = fields.find_word("form", {"strict", "lenient"}).value_or("strict");
    options.strict = form == "strict";
    resolved["form"] = form;
  }
  const auto made =
      checked(fields, "pattern", [&] { return rl::ExactAnswerReward(part.name, options); });
  part.needs_answers = true;
  part.make = [made](const RewardSetting&) {
    return std::make_unique<rl::ExactAnswerReward>(made);
  };
  return resolved;
}

json regex_part(Fields& fields, RewardPart& part) {
  const auto pattern = fields.text("pattern", kPattern);
  const bool ignore_case = fields.find_boolean("ignore_case").value_or(false);
  const auto regex = checked(fields, "pattern", [&] {
    return rl::Regex(pattern, ignore_case ? rl::Regex::Case::Ignored : rl::Regex::Case::Exact);
  });
  part.make = [regex, name = part.name](const RewardSetting&) {
    return std::make_unique<rl::RegexReward>(name, regex);
  };
  return {{"pattern", pattern}, {"ignore_case", ignore_case}};
}

json length_part(Fields& fields, RewardPart& part) {
  const auto tokens = fields.integer("tokens", 1, 1 << 20);
  part.make = [tokens, name = part.name](const RewardSetting&) {
    return std::make_unique<rl::LengthReward>(name, tokens);
  };
  return {{"tokens", tokens}};
}

/// The units in which a reward model was published: hone/reward.json beside its folder, where there
/// is one.
rl::ModelRewardOptions published_units(const fs::path& model) {
  rl::ModelRewardOptions options;
  const auto file = model / ".." / "hone" / "reward.json";
  std::error_code absent;
  if (!fs::is_regular_file(file, absent)) return options;
  const auto record = shared::parse_json(rl::read_file(file, 1 << 20));
  Fields fitted(record, file.string());
  options.offset = fitted.number("offset", -1e9, 1e9);
  options.scale = fitted.number("scale", 1e-9, 1e9);  // the rest says how they were fitted
  return options;
}

json model_part(Fields& fields, RewardPart& part, const fs::path& folder) {
  const fs::path given = fields.text("path", kPath);
  part.model = given.is_absolute() ? given : folder / given;
  auto options = published_units(part.model);
  options.offset = fields.find_number("offset", -1e9, 1e9).value_or(options.offset);
  options.scale = fields.find_number("scale", 1e-9, 1e9).value_or(options.scale);
  options.micro_batch_tokens =
      fields.find_integer("micro_batch_tokens", 1, 1 << 20).value_or(options.micro_batch_tokens);
  part.make = [path = part.model, options, name = part.name](const RewardSetting& setting) {
    return setting.open_model(name, path, *setting.policy_rules, options);
  };
  return {{"path", part.model.string()},
          {"offset", options.offset},
          {"scale", options.scale},
          {"micro_batch_tokens", options.micro_batch_tokens}};
}

bool is_metric_name(const std::string& name) {
  return name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
}

RewardPart part_of(const json& given, const fs::path& folder, const std::string& at) {
  Fields fields(given, at);
  RewardPart part;
  const auto type =
      fields.word("type", {"rule", "exact_answer", "regex", "length", "reward_model"});
  part.name = fields.find_text("name", kName).value_or(type);
  if (!is_metric_name(part.name))
    fields.refuse("name", "must be of small letters, digits and _: metrics are called by it");
  part.weight = fields.find_number("weight", -kWeightMax, kWeightMax).value_or(1);
  if (part.weight == 0) fields.refuse("weight", "must not be 0");
  auto resolved = type == "rule"           ? rule_part(fields, part)
                  : type == "exact_answer" ? exact_answer_part(fields, part)
                  : type == "regex"        ? regex_part(fields, part)
                  : type == "length"       ? length_part(fields, part)
                                           : model_part(fields, part, folder);
  fields.done();
  resolved["type"] = type;
  resolved["name"] = part.name;
  resolved["weight"] = part.weight;
  part.canonical = resolved.dump();
  return part;
}

}  // namespace

std::string RewardSpec::canonical() const {
  std::string out;
  for (const auto& part : parts) out += (out.empty() ? "[" : ",") + part.canonical;
  return out + "]";
}

RewardSpec parse_reward_spec(const json& reward, const fs::path& folder, const std::string& at) {
  RewardSpec spec;
  if (!reward.is_array()) {
    spec.parts.push_back(part_of(reward, folder, at));
    return spec;
  }
  if (reward.empty() || reward.size() > kPartsMax)
    throw Error(Code::Invalid, "must name from 1 to " + std::to_string(kPartsMax) + " rewards", at);
  std::set<std::string> names;
  for (std::size_t i = 0; i < reward.size(); ++i) {
    const auto place = at + "/" + std::to_string(i);
    spec.parts.push_back(part_of(reward[i], folder, place));
    if (!names.insert(spec.parts.back().name).second)
      throw Error(Code::Invalid,
                  "two rewards are called \"" + spec.parts.back().name +
                      "\": give one of them another \"name\"",
                  place + "/name");
  }
  return spec;
}

rl::Mixture make_reward(const RewardSpec& spec, const RewardSetting& setting) {
  std::vector<rl::Mixture::Part> parts;
  for (const auto& part : spec.parts) parts.push_back({part.make(setting), part.weight});
  return rl::Mixture(std::move(parts));
}

std::unique_ptr<rl::Reward> open_reward_model(const std::string& name, const fs::path& path,
                                              const rl::TextRules& policy_rules,
                                              const rl::ModelRewardOptions& options) {
  const auto base = rl::open_base(path, rl::Output::Score);
  if (const auto problem = memory_problem(base.config); !problem.empty())
    throw Error(Code::Invalid, path.string() + ": " + problem + "; take a smaller reward model",
                "reward");
  return std::make_unique<rl::ModelReward>(name, rl::load_model(base.config, *base.weights),
                                           rl::text_rules(base), policy_rules, options);
}

}  // namespace hone::run
