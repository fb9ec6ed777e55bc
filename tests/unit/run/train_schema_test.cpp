// The schema of a spec and the reader of specs say the same of every spec.
#include "services/run/train_schema.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <tuple>

#include "feedback/base/error.h"
#include "services/run/train_spec.h"

namespace hone::run {
namespace {

using feedback::Family;
using nlohmann::json;
using ::testing::HasSubstr;

bool is_type(const json& value, const std::string& type) {
  if (type == "null") return value.is_null();
  if (type == "boolean") return value.is_boolean();
  if (type == "string") return value.is_string();
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "number") return value.is_number();
  return value.is_number_integer() ||
         (value.is_number() && value.get<double>() == std::floor(value.get<double>()));
}

/// As much of JSON Schema as these schemas use; a word that it does not know fails the test.
bool holds(const json& root, const json& schema, const json& value) {
  for (const auto& [word, want] : schema.items()) {
    if (word == "type") {
      const auto types = want.is_array() ? want : json::array({want});
      if (std::none_of(types.begin(), types.end(),
                       [&](const json& t) { return is_type(value, t); }))
        return false;
    } else if (word == "const") {
      if (value != want) return false;
    } else if (word == "enum") {
      if (std::find(want.begin(), want.end(), value) == want.end()) return false;
    } else if (word == "minimum") {
      if (value.is_number() && value < want) return false;
    } else if (word == "maximum") {
      if (value.is_number() && value > want) return false;
    } else if (word == "minLength") {
      if (value.is_string() && value.get<std::string>().size() < want) return false;
    } else if (word == "maxLength") {
      if (value.is_string() && value.get<std::string>().size() > want) return false;
    } else if (word == "pattern") {
      if (value.is_string() &&
          !std::regex_search(value.get<std::string>(), std::regex(want.get<std::string>())))
        return false;
    } else if (word == "minItems") {
      if (value.is_array() && value.size() < want) return false;
    } else if (word == "maxItems") {
      if (value.is_array() && value.size() > want) return false;
    } else if (word == "uniqueItems") {
      if (value.is_array())
        for (std::size_t i = 0; i < value.size(); ++i)
          for (std::size_t k = 0; k < i; ++k)
            if (value[i] == value[k]) return false;
    } else if (word == "items") {
      if (value.is_array() && !std::all_of(value.begin(), value.end(), [&](const json& item) {
            return holds(root, want, item);
          }))
        return false;
    } else if (word == "required") {
      if (value.is_object())
        for (const auto& name : want)
          if (!value.contains(name)) return false;
    } else if (word == "properties") {
      if (value.is_object())
        for (const auto& [name, inner] : want.items())
          if (value.contains(name) && !holds(root, inner, value[name])) return false;
    } else if (word == "additionalProperties") {
      EXPECT_EQ(want, false);
      if (value.is_object())
        for (const auto& [name, unused] : value.items())
          if (!schema.at("properties").contains(name)) return false;
    } else if (word == "oneOf") {
      if (std::count_if(want.begin(), want.end(),
                        [&](const json& one) { return holds(root, one, value); }) != 1)
        return false;
    } else if (word == "not") {
      if (holds(root, want, value)) return false;
    } else if (word == "$ref") {
      if (!holds(root, root.at(json::json_pointer(want.get<std::string>().substr(1))), value))
        return false;
    } else if (word != "description" && word != "default" && word != "title" && word != "$schema" &&
               word != "$defs" && word != "x-default-with-adapter") {
      ADD_FAILURE() << "a word that this test does not know: " << word;
    }
  }
  return true;
}

std::string refusal(const json& spec) {
  try {
    parse_train_spec(spec, "/jobs/1");
  } catch (const Error& e) {
    return e.pointer() + ": " + e.detail();
  }
  return "";
}

class Agreement {
 public:
  explicit Agreement(const feedback::Method& method)
      : spec{{"method", method.name}, {"base", "base"}, {"data", "rows.jsonl"}},
        schema_(train_schema(method)) {
    if (method.family == Family::Policy) spec["reward"] = {{"type", "length"}, {"tokens", 20}};
    if (method.family == Family::Distillation) spec["teacher"] = "teacher";
  }

  /// Both take it, or both refuse it. Which of the two.
  bool with(const std::string& pointer, const json& value) const {
    auto changed = spec;
    changed[json::json_pointer(pointer)] = value;
    return same(changed, pointer + " = " + value.dump());
  }
  bool same(const json& changed, const std::string& what) const {
    const auto refused = refusal(changed);
    const bool fits = holds(schema_, schema_, changed);
    EXPECT_EQ(fits, refused.empty()) << spec["method"] << " with " << what << ": " << refused;
    return refused.empty();
  }

  json spec;

 private:
  json schema_;
};

TEST(TrainSchema, AgreesWithTheReaderOnEverySettingOfEveryMethod) {
  std::set<std::tuple<std::string, double, double, std::size_t>> seen;
  for (const auto& method : feedback::methods()) {
    const Agreement agree(method);
    EXPECT_TRUE(agree.same(agree.spec, "nothing more"));
    for (const auto& s : method.settings) {
      // Most methods share most settings: each is looked at once, as it is bounded.
      if (!seen.insert({s.name, s.lowest, s.highest, s.words.size()}).second) continue;
      const auto at = "/hyperparameters/" + s.name;
      EXPECT_TRUE(agree.with(at, nullptr));
      EXPECT_FALSE(agree.with(at, json::array()));
      EXPECT_FALSE(agree.with(at, "a word"));
      agree.with(at, true);
      agree.with(at, 1);
      agree.with(at, 1.5);
      for (const auto& word : s.words) EXPECT_TRUE(agree.with(at, word));
      if (s.kind != feedback::Setting::Kind::Integer && s.kind != feedback::Setting::Kind::Number)
        continue;
      EXPECT_TRUE(agree.with(at, s.lowest));
      EXPECT_TRUE(agree.with(at, s.highest));
      EXPECT_FALSE(agree.with(at, s.lowest - 1));
      EXPECT_FALSE(agree.with(at, 2 * s.highest + 1));
    }
    EXPECT_FALSE(agree.with("/hyperparameters/no_such", 1));
    EXPECT_FALSE(agree.with("/hyperparameters", json::array()));
    EXPECT_TRUE(agree.with("/hyperparameters", nullptr));
  }
}

TEST(TrainSchema, AgreesWithTheReaderOnTheRestOfTheSpec) {
  for (const char* name : {"dpo.sigmoid.sum", "grpo_token", "distill.forward"}) {
    const Agreement agree(feedback::method(name));
    for (const char* required : {"method", "base", "data"}) {
      auto less = agree.spec;
      less.erase(required);
      EXPECT_FALSE(agree.same(less, std::string("no ") + required));
      EXPECT_FALSE(agree.with(std::string("/") + required, ""));
      EXPECT_FALSE(agree.with(std::string("/") + required, nullptr));
    }
    EXPECT_FALSE(agree.with("/no_such", 1));
    EXPECT_FALSE(agree.with("/method", "no_such"));
    for (const char* optional :
         {"kind", "out", "adapter", "seed", "init_seed", "order_seed", "sample_seed", "evaluation",
          "guards", "checkpoint_every_steps", "checkpoint_every_s", "resume_from", "lineage"})
      EXPECT_TRUE(agree.with(std::string("/") + optional, nullptr));
    EXPECT_FALSE(agree.with("/kind", "sample"));
    EXPECT_TRUE(agree.with("/kind", "train"));
    EXPECT_FALSE(agree.with("/out", ""));
    EXPECT_FALSE(agree.with("/seed", -1));
    EXPECT_FALSE(agree.with("/seed", 1.5));
    EXPECT_TRUE(agree.with("/seed", INT64_MAX));
    for (const char* apart : {"/init_seed", "/order_seed", "/sample_seed"}) {
      EXPECT_TRUE(agree.with(apart, 0));
      EXPECT_FALSE(agree.with(apart, -1));
    }
    EXPECT_TRUE(agree.with("/seeds", {3, 1, 2}));
    EXPECT_TRUE(agree.with("/seeds", 3));
    EXPECT_FALSE(agree.with("/seeds", 0));
    EXPECT_FALSE(agree.with("/seeds", 65));
    EXPECT_FALSE(agree.with("/seeds", json::array()));
    EXPECT_FALSE(agree.with("/seeds", {1, 1}));
    EXPECT_FALSE(agree.with("/seeds", {1, -1}));
    EXPECT_FALSE(agree.with("/seeds", {1, "2"}));
    auto both = agree.spec;
    both["seed"] = 1;
    both["seeds"] = 2;
    EXPECT_TRUE(agree.same(both, "seed and how many"));
    both["seeds"] = {1, 2};
    EXPECT_FALSE(agree.same(both, "seed and a list"));
    EXPECT_TRUE(agree.with("/guards", "warn"));
    EXPECT_FALSE(agree.with("/guards", "off"));
    EXPECT_FALSE(agree.with("/checkpoint_every_steps", -1));
    EXPECT_FALSE(agree.with("/checkpoint_every_s", 2e9));
    EXPECT_FALSE(agree.with("/lineage", "me"));
    EXPECT_TRUE(agree.with("/lineage", {{"name", "x"}}));

    EXPECT_TRUE(agree.with("/adapter", "none"));
    EXPECT_FALSE(agree.with("/adapter", "lora"));
    EXPECT_TRUE(agree.with("/adapter", {{"type", "lora"}}));
    EXPECT_FALSE(agree.with("/adapter", {{"rank", 4}}));
    EXPECT_TRUE(agree.with("/adapter", {{"type", "lora"}, {"rank", 4}, {"alpha", 8.5}}));
    EXPECT_FALSE(agree.with("/adapter", {{"type", "lora"}, {"rank", 0}}));
    EXPECT_FALSE(agree.with("/adapter", {{"type", "lora"}, {"alpha", 0}}));
    EXPECT_FALSE(agree.with("/adapter", {{"type", "lora"}, {"targets", json::array()}}));
    EXPECT_TRUE(agree.with("/adapter", {{"type", "lora"}, {"targets", {"q_proj"}}}));
    EXPECT_FALSE(agree.with("/adapter", {{"type", "lora"}, {"depth", 1}}));

    const json rule = {{"rules", {{{"type", "max_words"}, {"value", 3}}}}};
    EXPECT_TRUE(agree.with("/evaluation", {{"held_out_pairs", false}, {"win_rate", nullptr}}));
    EXPECT_FALSE(agree.with("/evaluation", {{"held_out_pairs", 1}}));
    EXPECT_FALSE(agree.with("/evaluation", {{"more", 1}}));
    const auto win = [&](const json& more) {
      json w = {{"prompts", "held_out.jsonl"}, {"rule", rule}};
      w.update(more);
      return agree.with("/evaluation", {{"win_rate", w}});
    };
    EXPECT_TRUE(win(json::object()));
    EXPECT_TRUE(win({{"max_tokens", 5}, {"temperature", 0}, {"top_p", 0.5}, {"top_k", 3}}));
    EXPECT_FALSE(win({{"rule", nullptr}}));
    EXPECT_FALSE(win({{"prompts", nullptr}}));
    EXPECT_FALSE(win({{"top_p", 0}}));
    EXPECT_FALSE(win({{"max_tokens", 0}}));
    EXPECT_FALSE(win({{"judge", "me"}}));
    for (const auto& one : {json{{"type", "contains"}, {"text", "a"}, {"ignore_case", true}},
                            json{{"type", "contains"}}, json{{"type", "matches"}, {"pattern", "a"}},
                            json{{"type", "json"}, {"weight", 2}},
                            json{{"type", "json"}, {"weight", 0}}, json{{"type", "magic"}},
                            json{{"type", "script"}, {"script", "Latin"}, {"min_share", 0.5}},
                            json{{"type", "min_chars"}, {"value", 0}},
                            json{{"type", "max_words"}, {"value", 3}, {"text", "a"}}})
      win({{"rule", {{"rules", json::array({one})}}}});
    EXPECT_FALSE(win({{"rule", {{"rules", json::array()}}}}));
  }
}

TEST(TrainSchema, AgreesWithTheReaderOnRewards) {
  const Agreement offline(feedback::method("sft"));
  EXPECT_FALSE(offline.with("/reward", {{"type", "length"}, {"tokens", 5}}));
  EXPECT_FALSE(offline.with("/teacher", "t"));
  const Agreement agree(feedback::method("ppo"));
  EXPECT_FALSE(agree.with("/reward", nullptr));
  for (const char* place : {"/reward", "/gold"}) {
    EXPECT_FALSE(agree.with(place, json::array()));
    EXPECT_TRUE(agree.with(place, {{"type", "regex"}, {"pattern", "a"}, {"ignore_case", true}}));
    EXPECT_TRUE(agree.with(place, {{{"type", "regex"}, {"pattern", "a"}, {"weight", -2}},
                                   {{"type", "exact_answer"}, {"name", "right_1"}}}));
    EXPECT_FALSE(agree.with(place, {{"type", "regex"}}));
    EXPECT_FALSE(agree.with(place, {{"type", "magic"}}));
    EXPECT_FALSE(agree.with(place, {{"type", "length"}, {"tokens", 0}}));
    EXPECT_FALSE(agree.with(place, {{"type", "length"}, {"tokens", 5}, {"weight", 0}}));
    EXPECT_FALSE(agree.with(place, {{"type", "length"}, {"tokens", 5}, {"name", "A b"}}));
    EXPECT_FALSE(agree.with(place, {{"type", "length"}, {"tokens", 5}, {"more", 1}}));
    EXPECT_TRUE(agree.with(place, {{"type", "exact_answer"}, {"form", "lenient"}}));
    EXPECT_TRUE(agree.with(place, {{"type", "exact_answer"}, {"pattern", "(a)"}}));
    EXPECT_FALSE(
        agree.with(place, {{"type", "exact_answer"}, {"pattern", "(a)"}, {"form", "strict"}}));
    EXPECT_TRUE(agree.with(
        place, {{"type", "rule"}, {"rule", {{"rules", {{{"type", "json"}}}}, {"delta", 0.1}}}}));
    EXPECT_FALSE(agree.with(place, {{"type", "rule"}}));
    EXPECT_FALSE(agree.with(place, {{"type", "reward_model"}}));
  }
}

TEST(TrainSchema, NamesDefaultsAndWhatIsMinimised) {
  const json schema = train_schema(feedback::method("dpo.sigmoid.sum"));
  EXPECT_THAT(schema.at("description"), HasSubstr("-log sigma(z)"));
  const auto& beta = schema.at("/properties/hyperparameters/oneOf/1/properties/beta"_json_pointer);
  EXPECT_EQ(beta.at("default"), 0.1);
  EXPECT_THAT(beta.at("description"), HasSubstr("reference"));
}

TEST(MethodsTable, HasEveryMethodWithinItsWidth) {
  const auto table = methods_table(100);
  for (const auto& method : feedback::methods())
    EXPECT_THAT("\n" + table, HasSubstr("\n" + method.name + " "));
  std::size_t from = 0;
  for (auto to = table.find('\n'); to != std::string::npos; to = table.find('\n', from)) {
    EXPECT_LE(to - from, 100U);
    from = to + 1;
  }
}

}  // namespace
}  // namespace hone::run
