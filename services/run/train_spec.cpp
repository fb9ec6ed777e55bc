#include "services/run/train_spec.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>

#include "feedback/base/error.h"
#include "feedback/critics/verdict.h"
#include "hone_revision.h"
#include "rl/formats/base.h"
#include "rl/reward/mixture.h"
#include "services/run/reward_spec.h"
#include "services/run/threads.h"
#include "services/shared/json.h"
#include "services/shared/rule_critic.h"
#include "services/shared/settings_json.h"

namespace hone::run {
namespace {

namespace fs = std::filesystem;
using shared::Fields;

constexpr std::int64_t kAny = INT64_MAX, kSeedsMax = 64;
constexpr Fields::Length kPath{1, 4096};

fs::path resolve(const fs::path& folder, const std::string& path) {
  return fs::path(path).is_absolute() ? fs::path(path) : folder / path;
}

std::optional<rl::LoraSpec> adapter_of(Fields& fields) {
  const auto* value = fields.find_value("adapter");
  if (!value) return std::nullopt;
  if (value->is_string()) {
    if (*value != "none")
      fields.refuse("adapter", "must be \"none\" or an object with \"type\": \"lora\"");
    return std::nullopt;
  }
  auto adapter = fields.object("adapter");
  adapter.word("type", {"lora"});
  rl::LoraSpec lora;
  if (const auto rank = adapter.find_integer("rank", 1, 4096)) lora.rank = *rank;
  lora.alpha =
      adapter.find_number("alpha", 1e-6, 1e6).value_or(2.0 * static_cast<double>(lora.rank));
  if (adapter.has("targets")) lora.targets = adapter.texts("targets", {1, 64}, 16);
  adapter.done();
  return lora;
}

rl::WinRateSpec win_rate_of(Fields w, const fs::path& folder) {
  rl::WinRateSpec out;
  out.prompts = resolve(folder, w.text("prompts", kPath));
  const auto critic = shared::RuleCritic::parse(w.value("rule"), w.at("rule"));
  out.judge = critic.canonical();
  out.compare = [critic](const std::string& prompt, const std::string& first,
                         const std::string& second) {
    const auto choice = critic.compare(prompt, first, second);
    return choice.strength > 0 ? 1.0 : choice.strength < 0 ? 0.0 : 0.5;
  };
  if (const auto v = w.find_integer("max_tokens", 1, 1 << 20)) out.options.max_tokens = *v;
  if (const auto v = w.find_number("temperature", 0, 100)) out.options.temperature = *v;
  if (const auto v = w.find_number("top_p", 1e-6, 1)) out.options.top_p = *v;
  if (const auto v = w.find_integer("top_k", 0, 1 << 20)) out.options.top_k = *v;
  if (const auto v = w.find_integer("seed", 0, kAny)) out.seed = static_cast<std::uint64_t>(*v);
  w.done();
  return out;
}

/// The reward as the trainer uses it; a reward model's units are those of its part.
rl::RewardUse reward_of(const nlohmann::json& given, const fs::path& folder,
                        const std::string& at) {
  const auto spec = parse_reward_spec(given, folder, at);
  rl::RewardUse use{.canonical = spec.canonical(), .make = [spec](const rl::TextRules& policy) {
                      return make_reward(
                          spec, {.policy_rules = &policy, .open_model = open_reward_model});
                    }};
  for (const auto& part : spec.parts)
    if (!part.model.empty() && !use.model) {
      const auto options = nlohmann::json::parse(part.canonical);
      use.model = part.model;
      use.offset = options.value("offset", 0.0);
      use.scale = options.value("scale", 1.0);
    }
  return use;
}

/// What a method needs beside rows is named, and nothing that it has no use for.
void take_reward_and_teacher(Fields& fields, const fs::path& folder, rl::TrainSpec& spec) {
  const bool online = spec.method->family == feedback::Family::Policy;
  for (const char* name : {"reward", "gold"}) {
    const auto* given = fields.find_value(name);
    if (!given) continue;
    if (!online) fields.refuse(name, "is for methods that draw answers themselves");
    auto use = reward_of(*given, folder, fields.at(name));
    (name[0] == 'r' ? spec.reward : spec.gold) = std::move(use);
  }
  if (online && !spec.reward) fields.refuse("reward", "is missing: what drawn answers are worth");
  const bool distils = spec.method->family == feedback::Family::Distillation;
  if (const auto teacher = fields.find_text("teacher", kPath)) {
    if (!distils) fields.refuse("teacher", "is for distillation");
    spec.teacher = resolve(folder, *teacher);
  } else if (distils) {
    fields.refuse("teacher", "is missing: the base or model that is imitated");
  }
}

/// "seeds": a list, or how many from "seed" on. One seed is a run like any other. A stream whose
/// seed is given apart has it in every one.
void take_seeds(Fields& fields, rl::TrainSpec& spec) {
  const auto given_seed = fields.find_integer("seed", 0, kAny);
  if (given_seed) spec.seed = static_cast<std::uint64_t>(*given_seed);
  for (const auto& [name, apart] : {std::pair{"init_seed", &spec.init_seed},
                                    {"order_seed", &spec.order_seed},
                                    {"sample_seed", &spec.sample_seed}})
    if (const auto v = fields.find_integer(name, 0, kAny)) *apart = static_cast<std::uint64_t>(*v);
  const auto* given = fields.find_value("seeds");
  if (!given) return;
  if (given->is_array()) {
    if (given_seed) fields.refuse("seed", "has no meaning beside a list of seeds");
    for (const auto& seed : fields.list("seeds", 1, kSeedsMax)) {
      if (!seed.is_number_integer() || seed.get<std::int64_t>() < 0)
        fields.refuse("seeds", "each must be a whole number of 0 or more");
      spec.seeds.push_back(seed.get<std::uint64_t>());
    }
    if (std::set(spec.seeds.begin(), spec.seeds.end()).size() < spec.seeds.size())
      fields.refuse("seeds", "names a seed twice");
  } else {
    const auto count = fields.integer("seeds", 1, kSeedsMax);
    for (std::int64_t i = 0; i < count; ++i)
      spec.seeds.push_back(spec.seed + static_cast<std::uint64_t>(i));
  }
  spec.seed = spec.seeds.front();
  if (spec.seeds.size() == 1) spec.seeds.clear();
}

}  // namespace

rl::TrainSpec parse_train_spec(const nlohmann::json& json, const fs::path& folder) {
  Fields fields(json);
  fields.find_word("kind", {"train"});
  const auto method = fields.text("method", {1, 100});
  rl::TrainSpec spec(method, adapter_of(fields));
  spec.base = resolve(folder, fields.text("base", kPath));
  spec.data = resolve(folder, fields.text("data", kPath));
  spec.out = resolve(folder, fields.find_text("out", kPath).value_or("out"));
  take_seeds(fields, spec);
  if (const auto* given = fields.find_value("hyperparameters"))
    shared::set_all(spec.settings, *given, fields.at("hyperparameters"));
  take_reward_and_teacher(fields, folder, spec);
  if (const auto v = fields.find_word("guards", {"stop", "warn"})) spec.guards_stop = *v == "stop";
  if (const auto v = fields.find_integer("checkpoint_every_steps", 0, kAny))
    spec.checkpoint_every_steps = *v;
  if (const auto v = fields.find_number("checkpoint_every_s", 0, 1e9)) spec.checkpoint_every_s = *v;
  if (const auto v = fields.find_text("resume_from", kPath)) spec.resume_from = resolve(folder, *v);
  if (auto e = fields.find_object("evaluation")) {
    if (const auto v = e->find_boolean("held_out_pairs")) spec.evaluate_held_out = *v;
    if (auto w = e->find_object("win_rate")) spec.win_rate = win_rate_of(*w, folder);
    e->done();
  }
  if (const auto* lineage = fields.find_value("lineage")) {
    if (!lineage->is_object()) fields.refuse("lineage", "must be an object");
    spec.lineage = lineage->dump();
  }
  fields.done();
  spec.code_revision = HONE_REVISION + std::string(HONE_REVISION_DIRTY ? "-dirty" : "");
  spec.threads = wanted_threads();
  rl::check_spec(spec);
  return spec;
}

void identify_models(rl::TrainSpec& spec) {
  if (spec.teacher) spec.teacher_sha256 = rl::open_base(*spec.teacher).sha256;
  for (auto* use : {&spec.reward, &spec.gold}) {
    if (!*use) continue;
    auto parts = nlohmann::ordered_json::parse((*use)->canonical);
    for (auto& part : parts) {
      if (!part.contains("path")) continue;
      part["sha256"] = rl::open_base(part.at("path").get<std::string>(), rl::Output::Score).sha256;
      part.erase("path");
    }
    (*use)->canonical = parts.dump();
  }
}

std::string resolved_json(const rl::TrainSpec& spec) {
  auto json = nlohmann::ordered_json::parse(rl::mathematics_json(spec));
  json["kind"] = "train";
  if (!spec.seeds.empty()) {
    json.erase("seed");
    json["seeds"] = spec.seeds;
  }
  json["base"] = spec.base.string();
  json["data"] = spec.data.string();
  json["out"] = spec.out.string();
  json["hyperparameters"] = shared::settings_json(spec.settings);
  if (spec.teacher) json["teacher"] = spec.teacher->string();
  json["guards"] = spec.guards_stop ? "stop" : "warn";
  json["checkpoint_every_steps"] = spec.checkpoint_every_steps;
  json["checkpoint_every_s"] = spec.checkpoint_every_s;
  json["resume_from"] = spec.resume_from ? nlohmann::ordered_json(spec.resume_from->string())
                                         : nlohmann::ordered_json();
  json["evaluation"] = {{"held_out_pairs", spec.evaluate_held_out}};
  if (spec.win_rate) {
    const auto& w = *spec.win_rate;
    json["evaluation"]["win_rate"] = {{"prompts", w.prompts.string()},
                                      {"rule", nlohmann::ordered_json::parse(w.judge)},
                                      {"max_tokens", w.options.max_tokens},
                                      {"temperature", w.options.temperature},
                                      {"top_p", w.options.top_p},
                                      {"top_k", w.options.top_k},
                                      {"seed", w.seed}};
  }
  json["lineage"] = nlohmann::ordered_json::parse(spec.lineage);
  return json.dump(2) + "\n";
}

}  // namespace hone::run
