#include "services/run/train_schema.h"

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <sstream>

#include "rl/train/spec.h"
#include "services/shared/settings_json.h"

namespace hone::run {
namespace {

using Json = nlohmann::ordered_json;
using feedback::Family;

constexpr std::int64_t kAny = INT64_MAX;

/// May be left out: null means the same.
Json optional(Json schema) {
  if (schema.contains("type") && schema["type"].is_string())
    schema["type"] = {schema["type"], "null"};
  if (schema.contains("enum")) schema["enum"].push_back(nullptr);
  return schema;
}

Json text(const char* meaning, int longest = 4096) {
  return {{"type", "string"}, {"minLength", 1}, {"maxLength", longest}, {"description", meaning}};
}
Json integer(std::int64_t low, std::int64_t high, Json preset, const char* meaning) {
  return {{"type", "integer"},
          {"minimum", low},
          {"maximum", high},
          {"default", std::move(preset)},
          {"description", meaning}};
}
Json number(double low, double high, Json preset, const char* meaning) {
  return {{"type", "number"},
          {"minimum", low},
          {"maximum", high},
          {"default", std::move(preset)},
          {"description", meaning}};
}
Json flag(bool preset, const char* meaning) {
  return {{"type", "boolean"}, {"default", preset}, {"description", meaning}};
}
Json word(std::vector<std::string> words, Json preset, const char* meaning) {
  return {{"type", "string"},
          {"enum", std::move(words)},
          {"default", std::move(preset)},
          {"description", meaning}};
}
Json object(Json properties, std::vector<std::string> required = {}) {
  Json out = {
      {"type", "object"}, {"additionalProperties", false}, {"properties", std::move(properties)}};
  if (!required.empty()) out["required"] = std::move(required);
  return out;
}

// ---- rules and rewards

Json rule(std::vector<std::string> types, Json properties, std::vector<std::string> required) {
  Json all = {{"type", {{"enum", std::move(types)}}}};
  all.update(properties);
  all["weight"] = optional(number(1e-6, 1e6, 1, "its share of the mean"));
  required.insert(required.begin(), "type");
  return object(std::move(all), std::move(required));
}

/// services/shared/rule_critic.h
Json rule_critic() {
  const auto ignore_case = optional(flag(false, "capital and small letters are the same"));
  const Json rules = {
      rule({"max_words", "min_words", "max_chars", "min_chars", "max_sentences"},
           {{"value", integer(1, 1'000'000, nullptr, "the bound; beyond it the grade falls")}},
           {"value"}),
      rule({"contains", "not_contains", "starts_with", "ends_with"},
           {{"text", text("what is looked for")}, {"ignore_case", ignore_case}}, {"text"}),
      rule({"matches", "not_matches"},
           {{"pattern", text("a PCRE2 pattern")}, {"ignore_case", ignore_case}}, {"pattern"}),
      rule({"json"}, Json::object(), {}),
      rule({"script"},
           {{"script", text("a Unicode script's name: Latin, Cyrillic, Han ...", 100)},
            {"min_share", optional(number(0, 1, 0.9, "of the answer's letters"))}},
           {"script"})};
  auto out = object(
      {{"rules",
        {{"type", "array"}, {"minItems", 1}, {"maxItems", 64}, {"items", {{"oneOf", rules}}}}},
       {"delta", optional(number(1e-9, 1, 0.001, "scores nearer to each other than this tie"))}},
      {"rules"});
  out["description"] = "a list of what a good answer looks like; its score is their weighted mean";
  return out;
}

Json reward_part(const char* type, Json properties, std::vector<std::string> required) {
  Json all = {{"type", {{"const", type}}}};
  all.update(properties);
  auto name = text("what metrics call it; two of one list differ", 64);
  name["pattern"] = "^[a-z0-9_]+$";
  name["default"] = type;
  all["name"] = optional(name);
  auto weight = number(-1e6, 1e6, 1, "its factor in the sum; a negative one punishes");
  weight["not"] = {{"const", 0}};
  all["weight"] = optional(weight);
  required.insert(required.begin(), "type");
  return object(std::move(all), std::move(required));
}

/// services/run/reward_spec.h
Json one_reward() {
  auto exact = reward_part(
      "exact_answer",
      {{"form", optional(word({"strict", "lenient"}, "strict", "how the answer must be written"))},
       {"pattern", optional(text("a PCRE2 pattern of one group that finds the answer"))}},
      {});
  const Json given = {{"type", "string"}};
  exact["not"] = {{"required", {"form", "pattern"}},
                  {"properties", {{"form", given}, {"pattern", given}}}};
  return {
      {"oneOf",
       {reward_part("rule", {{"rule", {{"$ref", "#/$defs/rule_critic"}}}}, {"rule"}), exact,
        reward_part("regex",
                    {{"pattern", text("a PCRE2 pattern: 1 where it is found, else 0")},
                     {"ignore_case", optional(flag(false,
                                                   "capital and small letters are the "
                                                   "same"))}},
                    {"pattern"}),
        reward_part("length",
                    {{"tokens", integer(1, 1 << 20, nullptr, "the length that pays most")}},
                    {"tokens"}),
        reward_part("reward_model",
                    {{"path", text("a reward model: a directory or a GGUF file")},
                     {"offset", optional(number(-1e9, 1e9, 0, "taken from its score"))},
                     {"scale", optional(number(1e-9, 1e9, 1, "times what is left"))},
                     {"micro_batch_tokens", optional(integer(1, 1 << 20, nullptr, "of one pass"))}},
                    {"path"})}}};
}

Json reward_or_list(const char* meaning) {
  return {{"description", meaning},
          {"oneOf",
           {{{"$ref", "#/$defs/reward"}},
            {{"type", "array"},
             {"minItems", 1},
             {"maxItems", 16},
             {"items", {{"$ref", "#/$defs/reward"}}}}}}};
}

// ---- the spec

Json adapter() {
  const rl::LoraSpec lora;
  auto out = object(
      {{"type", {{"const", "lora"}}},
       {"rank", optional(integer(1, 4096, lora.rank, "columns of A and B"))},
       {"alpha", optional(number(1e-6, 1e6, nullptr,
                                 "the product's factor is alpha / rank; null: "
                                 "twice the rank"))},
       {"targets", optional({{"type", "array"},
                             {"items", {{"type", "string"}, {"minLength", 1}, {"maxLength", 64}}},
                             {"minItems", 1},
                             {"maxItems", 16},
                             {"default", lora.targets},
                             {"description", "linear layers that get one"}})}},
      {"type"});
  return {{"description", "\"none\": all weights train; or a LoRA adapter on the frozen base"},
          {"default", "none"},
          {"oneOf", {{{"const", "none"}}, {{"type", "null"}}, out}}};
}

Json evaluation() {
  const rl::WinRateSpec preset;
  const auto& sampling = preset.options;
  auto win_rate = object(
      {{"prompts", text("JSON lines {\"id\", \"messages\"}: held-out prompts")},
       {"rule", {{"$ref", "#/$defs/rule_critic"}}},
       {"max_tokens", optional(integer(1, 1 << 20, sampling.max_tokens, "of an answer"))},
       {"temperature",
        optional(number(0, 100, sampling.temperature, "of drawing; 0: the likeliest"))},
       {"top_p", optional(number(1e-6, 1, sampling.top_p, "share of the probability drawn from"))},
       {"top_k", optional(integer(0, 1 << 20, sampling.top_k, "tokens drawn from; 0: all"))},
       {"seed", optional(integer(0, kAny, preset.seed, "of drawing"))}},
      {"prompts", "rule"});
  win_rate["description"] = "answers of the trained model against its base's; null: not measured";
  return optional(object({{"held_out_pairs", optional(flag(true, "measure on held-out rows"))},
                          {"win_rate", optional(win_rate)}}));
}

/// Of shared::schema_json, whose members may all be null: as preset.
Json hyperparameters(const feedback::Method& method) {
  auto out = shared::schema_json(method);
  out.erase("$schema");
  out.erase("title");
  out["description"] = "a member that is left out or null is as its default";
  for (auto& [name, schema] : out["properties"].items())
    if (schema["type"].is_string()) schema = optional(schema);
  return {{"oneOf", {{{"type", "null"}}, out}}};
}

std::string wrapped(const std::string& text, std::size_t indent, std::size_t width) {
  std::istringstream words(text);
  std::string out, line;
  const auto flush = [&] {
    if (!line.empty()) out += std::string(indent, ' ') + line + "\n";
    line.clear();
  };
  for (std::string one; words >> one;) {
    if (!line.empty() && indent + line.size() + 1 + one.size() > width) flush();
    line += (line.empty() ? "" : " ") + one;
  }
  flush();
  return out;
}

}  // namespace

std::string methods_table(std::size_t width) {
  std::size_t longest = 0;
  for (const auto& method : feedback::methods()) longest = std::max(longest, method.name.size());
  const auto indent = longest + 2;
  std::string out;
  for (const auto& method : feedback::methods()) {
    auto what = wrapped(method.what, indent, width);
    what.replace(0, method.name.size(), method.name);
    out += what + wrapped(method.formula, indent, width);
  }
  return out;
}

Json train_schema(const feedback::Method& method) {
  Json p;
  p["kind"] = optional({{"type", "string"}, {"enum", {"train"}}});
  p["method"] = {{"const", method.name}};
  p["base"] = text("what training starts from: a Hugging Face directory or a GGUF file");
  p["data"] = text("the rows: JSON lines");
  p["out"] = optional(text("where the run leaves everything"));
  p["out"]["default"] = "out";
  p["adapter"] = adapter();
  p["seed"] = optional(integer(0, kAny, 1, "of order, initialisation and drawing"));
  for (const auto& [name, what] : {std::pair{"init_seed", "of fresh weights alone"},
                                   {"order_seed", "of the rows' order alone"},
                                   {"sample_seed", "of drawn answers alone"}})
    p[name] = {
        {"description", what},
        {"oneOf", {{{"type", "null"}}, {{"type", "integer"}, {"minimum", 0}, {"maximum", kAny}}}}};
  p["seeds"] = {
      {"description", "a run for each: a list, or how many from seed on; mean and interval of all"},
      {"oneOf",
       {{{"type", "null"}},
        {{"type", "integer"}, {"minimum", 1}, {"maximum", 64}},
        {{"type", "array"},
         {"minItems", 1},
         {"maxItems", 64},
         {"uniqueItems", true},
         {"items", {{"type", "integer"}, {"minimum", 0}, {"maximum", kAny}}}}}}};
  p["hyperparameters"] = hyperparameters(method);
  std::vector<std::string> required = {"method", "base", "data"};
  const bool online = method.family == Family::Policy;
  if (online) {
    p["reward"] = reward_or_list("what drawn answers are worth; a list is summed");
    p["gold"] = {
        {"oneOf",
         {{{"type", "null"}}, reward_or_list("measured along the way and never trained on")}}};
    required.push_back("reward");
  }
  if (method.family == Family::Distillation) {
    p["teacher"] = text("the model that is imitated; its tokenizer is the base's");
    required.push_back("teacher");
  }
  p["evaluation"] = evaluation();
  p["guards"] = optional(word({"stop", "warn"}, "stop", "what a run does that goes wrong"));
  p["checkpoint_every_steps"] = optional(integer(0, kAny, 10, "0: off"));
  p["checkpoint_every_s"] = optional(number(0, 1e9, 60, "seconds; 0: off"));
  p["resume_from"] = optional(text("a checkpoint of this run to go on from"));
  p["lineage"] =
      optional({{"type", "object"}, {"description", "goes into card and manifest as it is"}});
  Json out = {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
              {"title", method.name},
              {"description", method.what + ": " + method.formula}};
  out.update(object(std::move(p), std::move(required)));
  out["not"] = {{"required", {"seed", "seeds"}},
                {"properties", {{"seed", {{"type", "integer"}}}, {"seeds", {{"type", "array"}}}}}};
  out["$defs"]["rule_critic"] = rule_critic();
  if (online) out["$defs"]["reward"] = one_reward();
  return out;
}

}  // namespace hone::run
