#include "services/server/json/run_spec.h"

#include <algorithm>

#include "feedback/base/error.h"
#include "feedback/training/methods.h"
#include "services/server/json/reward_asked.h"
#include "services/server/json/values.h"
#include "services/shared/settings_json.h"

namespace hone::server {
namespace {

using nlohmann::json;
using shared::Fields;

constexpr std::array kTargets{"q_proj",    "k_proj",  "v_proj",   "o_proj",
                              "gate_proj", "up_proj", "down_proj"};
constexpr std::int64_t kSeedMax = 0x7fffffff, kSeedsMax = 64;

/// The method by its one name.
const feedback::Method& method_of(Fields& body, const std::string& name) {
  try {
    return feedback::method(name);
  } catch (const Error& e) {
    body.refuse("method", e.detail());
  }
}

/// What a method learns from beside rows is named, and nothing that it has no use for.
void parse_reward_and_teacher(Fields& body, const feedback::Method& method, RunAsked& out) {
  const bool draws = method.family == feedback::Family::Policy;
  for (const char* name : {"reward", "gold"}) {
    const json* given = body.find_value(name);
    if (!given) continue;
    if (!draws)
      body.refuse(name, "is for methods that draw answers themselves; " + method.name +
                            " learns from the snapshot's rows alone");
    if (!given->is_array()) out.ones.insert(name);
    (name[0] == 'r' ? out.reward : out.gold) = parse_reward(*given, body.at(name));
  }
  if (draws && out.reward.is_null())
    body.refuse("reward", "is missing: " + method.name +
                              " draws answers itself and must be told what they are worth");
  const bool distils = method.family == feedback::Family::Distillation;
  out.teacher = body.find_text("teacher", {1, 200});
  if (out.teacher && !distils) body.refuse("teacher", "is for distillation");
  if (distils && !out.teacher)
    body.refuse("teacher", "is missing: the base or published version that is imitated");
}

/// Registry names stand in paths and file names.
void check_model_name(Fields& body, const std::string& name) {
  const auto good = [](unsigned char c) {
    return std::isalnum(c) || c == '-' || c == '_' || c == '.';
  };
  if (!std::all_of(name.begin(), name.end(), good) ||
      !std::isalnum(static_cast<unsigned char>(name.front())))
    body.refuse("model",
                "may hold Latin letters, digits and . - _ and begins with a letter or digit");
}

/// "none", "lora", or the object with what it leaves open filled in.
json parse_adapter(Fields& body) {
  const json* given = body.find_value("adapter");
  const bool words = given && given->is_string();
  if (!given || (words && *given == "none")) return "none";
  if (words && *given != "lora")
    body.refuse("adapter", "must be none, lora, or an object of type lora");

  const json empty = json::object();
  Fields adapter(words ? empty : *given, body.at("adapter"));
  if (!words) adapter.word("type", {"lora"});
  const std::int64_t rank = adapter.find_integer("rank", 1, 512).value_or(16);
  json out{
      {"type", "lora"},
      {"rank", rank},
      {"alpha", adapter.find_number("alpha", 1e-3, 1e6).value_or(2 * static_cast<double>(rank))},
      {"targets", kTargets}};
  if (adapter.has("targets")) {
    const auto targets = adapter.texts("targets", {1, 100}, kTargets.size());
    if (targets.empty()) adapter.refuse("targets", "names no layer");
    for (std::size_t i = 0; i < targets.size(); ++i) {
      if (std::find(kTargets.begin(), kTargets.end(), targets[i]) == kTargets.end())
        adapter.refuse("targets", "\"" + targets[i] +
                                      "\" is not a layer that can be adapted; there are " +
                                      json(kTargets).dump());
      if (std::find(targets.begin(), targets.begin() + static_cast<std::ptrdiff_t>(i),
                    targets[i]) != targets.begin() + static_cast<std::ptrdiff_t>(i))
        adapter.refuse("targets", "\"" + targets[i] + "\" is named twice");
    }
    out["targets"] = targets;
  }
  adapter.done();
  return out;
}

/// The house's defaults are those of the papers, for thousands of pairs: small sets want a higher
/// rate and more epochs, named in the spec.
json parse_hyperparameters(Fields& body, const feedback::Method& method, bool lora) {
  feedback::Settings settings(method.settings, lora);
  if (const json* given = body.find_value("hyperparameters"))
    shared::set_all(settings, *given, body.at("hyperparameters"));
  return json(shared::settings_json(settings));
}

/// Held-out pairs are always scored; a critic adds the win rate against the base.
json parse_evaluation(Fields& body, const feedback::Method& method) {
  const json empty = json::object();
  const json* given = body.find_value("evaluation");
  Fields evaluation(given ? *given : empty, body.at("evaluation"));
  const auto critic = evaluation.find_uuid("critic");
  if (critic && method.family == feedback::Family::Reward)
    evaluation.refuse("critic", "judges answers, and a reward model draws none");
  json out{{"held_out_pairs", true},
           {"critic", or_null(critic)},
           {"max_tokens", evaluation.find_integer("max_tokens", 1, 4096).value_or(128)},
           {"temperature", evaluation.find_number("temperature", 0, 5).value_or(0.7)},
           {"seed", evaluation.find_integer("seed", 0, 0x7fffffff).value_or(7)}};
  evaluation.done();
  return out;
}

/// hone-run's rules (services/run/train_spec.cpp), within what every client keeps exactly.
void parse_seeds(Fields& body, const std::function<std::int64_t()>& draw, RunAsked& out) {
  const auto seed = body.find_integer("seed", 0, kSeedMax);
  const json* given = body.find_value("seeds");
  if (given && given->is_array()) {
    if (seed) body.refuse("seed", "has no meaning beside a list of seeds");
    const auto& list = body.list("seeds", 1, kSeedsMax);
    for (std::size_t i = 0; i < list.size(); ++i) {
      const auto at = body.at("seeds") + "/" + std::to_string(i);
      if (!list[i].is_number_integer() || list[i] < 0 || list[i] > kSeedMax)
        throw Error(Code::Invalid,
                    "seeds: each must be a whole number from 0 to " + std::to_string(kSeedMax), at);
      const auto one = list[i].get<std::int64_t>();
      if (std::find(out.seeds.begin(), out.seeds.end(), one) != out.seeds.end())
        throw Error(Code::Invalid, "seeds: names " + std::to_string(one) + " twice", at);
      out.seeds.push_back(one);
    }
  } else if (given) {
    const auto count = body.integer("seeds", 1, kSeedsMax);
    if (seed && *seed > kSeedMax - count + 1)
      body.refuse("seeds", "counts past the last seed, " + std::to_string(kSeedMax));
    const auto first = seed ? *seed : std::min(draw(), kSeedMax - count + 1);
    for (std::int64_t i = 0; i < count; ++i) out.seeds.push_back(first + i);
  }
  out.seed = !out.seeds.empty() ? out.seeds.front() : seed ? *seed : draw();
  if (out.seeds.size() == 1) out.seeds.clear();
  for (const char* name : kSeedsApart)
    if (const auto apart = body.find_integer(name, 0, kSeedMax)) out.seeds_apart[name] = *apart;
}

}  // namespace

RunAsked parse_run(const json& given, const std::function<std::int64_t()>& draw) {
  Fields body(given);
  RunAsked out;
  out.project = body.text("project", {1, 100});
  out.method = body.text("method", {1, 200});
  const auto& method = method_of(body, out.method);
  out.base = body.text("base", {1, 200});
  out.snapshot = body.text("snapshot", {1, 100});
  if (out.snapshot != "latest") out.snapshot = body.uuid("snapshot");
  out.model = body.find_text("model", {1, 96});
  if (out.model) check_model_name(body, *out.model);
  parse_seeds(body, draw, out);
  out.adapter = parse_adapter(body);
  out.hyperparameters = parse_hyperparameters(body, method, out.adapter != "none");
  out.evaluation = parse_evaluation(body, method);
  parse_reward_and_teacher(body, method, out);
  if (const auto steps = body.find_integer("checkpoint_every_steps", 0, 1'000'000))
    out.checkpoints["checkpoint_every_steps"] = *steps;
  if (const auto seconds = body.find_number("checkpoint_every_s", 0, 86'400))
    out.checkpoints["checkpoint_every_s"] = *seconds;
  body.done();
  return out;
}

}  // namespace hone::server
