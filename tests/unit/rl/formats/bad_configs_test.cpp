// Malformed and unsupported config.json and adapter_config.json files, each with its own refusal.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "rl/formats/config.h"
#include "rl/formats/peft.h"
#include "rl/tokenizer/utf8.h"
#include "tests/unit/rl/formats/support.h"

namespace hone::rl {
namespace {

using nlohmann::json;
using testing::HasSubstr;

json small() {
  return json::parse(
      R"({"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 100, "hidden_size": 16, "intermediate_size": 32,
                        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64, "rms_norm_eps": 1e-5,
                        "rope_theta": 10000, "hidden_act": "silu", "bos_token_id": 1, "eos_token_id": 2})");
}

struct Bad {
  const char* key;
  const char* value;  // null: the key is taken out
  const char* says;
};

class BadConfig : public testing::TestWithParam<Bad> {};

TEST_P(BadConfig, IsRefusedByTheNameOfTheKey) {
  auto file = small();
  if (GetParam().value == nullptr)
    file.erase(GetParam().key);
  else
    file[GetParam().key] = json::parse(GetParam().value);
  EXPECT_THAT(refusal([&] { read_config_json(file.dump()); }),
              HasSubstr(std::string("config.json: ") + GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    Files, BadConfig,
    testing::Values(
        Bad{"model_type", nullptr, "model_type: is missing"},
        Bad{"model_type", R"("mamba")", "model_type: \"mamba\" is not supported"},
        Bad{"architectures", R"(["LlamaForSequenceClassification"])",
            "num_labels: 2 labels; a reward model has 1"},
        Bad{"architectures", R"(["LlamaForTokenClassification"])",
            "architectures: must be [\"LlamaForCausalLM\"] or "
            "[\"LlamaForSequenceClassification\"]"},
        Bad{"quantization_config", R"({"bits": 4})", "quantization_config: quantised weights"},
        Bad{"hidden_act", R"("gelu")", "hidden_act: activation \"gelu\""},
        Bad{"partial_rotary_factor", "0.5", "partial_rotary_factor: is not supported"},
        Bad{"hidden_size", nullptr, "hidden_size: is missing"},
        Bad{"hidden_size", R"("16")", "hidden_size: an integer is wanted"},
        Bad{"hidden_size", "18", "hidden_size: does not divide"},
        Bad{"hidden_size", "-16", "hidden_size: -16 is not between"},
        Bad{"vocab_size", "1e30", "vocab_size: an integer is wanted"},
        Bad{"vocab_size", "99999999999", "vocab_size: 99999999999 is not between"},
        Bad{"num_hidden_layers", "0", "num_hidden_layers: 0 is not between"},
        Bad{"num_attention_heads", "0", "num_attention_heads: must be above 0"},
        Bad{"num_key_value_heads", "3", "num_key_value_heads: 3 does not divide"},
        Bad{"head_dim", "5", "head_dim: 5 is odd"},
        Bad{"rms_norm_eps", "0", "rms_norm_eps: must be above 0"},
        Bad{"rms_norm_eps", R"("x")", "rms_norm_eps: a finite number"},
        Bad{"eos_token_id", "100", "eos_token_id: 100 is no token"},
        Bad{"eos_token_id", "[2, -1]", "eos_token_id: -1 is no token"},
        Bad{"eos_token_id", R"(["</s>"])", "eos_token_id: an integer or a list"},
        Bad{"bos_token_id", "1000", "bos_token_id: 1000 is no token"},
        Bad{"tie_word_embeddings", "1", "tie_word_embeddings: true or false"},
        Bad{"rope_theta", "0", "rope_theta: must be above 0"},
        Bad{"rope_scaling", R"({"rope_type": "longrope", "factor": 4})",
            "rope_scaling.rope_type: rope type \"longrope\""},
        Bad{"rope_scaling", R"({"type": "su", "factor": 4})",
            "rope_scaling.type: rope type \"su\""},
        Bad{"rope_scaling", R"({"rope_type": "yarn", "factor": 4})",
            "rope_scaling.original_max_position_embeddings"},
        Bad{"rope_scaling",
            R"({"rope_type": "yarn", "factor": 4, "original_max_position_embeddings": 16, "mscale": 1, "mscale_all_dim": -100})",
            "rope_scaling.mscale: makes no attention factor above 0"},
        Bad{"rope_scaling", R"({"rope_type": "dynamic"})", "rope_scaling.factor"},
        Bad{"rope_scaling", R"({"type": "linear"})", "rope_scaling.factor: is missing"},
        Bad{"rope_scaling", R"({"type": "linear", "factor": 0})",
            "rope_scaling.factor: must be above 0"},
        Bad{"rope_scaling", R"({"type": "linear", "rope_type": "llama3", "factor": 2})",
            "rope_scaling.type: differs from rope_type"},
        Bad{"rope_scaling",
            R"({"rope_type": "llama3", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 4, "original_max_position_embeddings": 64})",
            "rope_scaling.high_freq_factor: must be above low_freq_factor"},
        Bad{"rope_scaling",
            R"({"rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4})",
            "rope_scaling.original_max_position_embeddings: is missing"},
        Bad{"rope_scaling", R"({"type": "default", "mystery": 1})",
            "rope_scaling.mystery: is not supported"},
        Bad{"rope_parameters", R"({"rope_type": "default", "rope_theta": 500000})",
            "rope_parameters.rope_theta: 500000 differs from the 10000"},
        Bad{"rope_parameters", "7", "rope_parameters: a JSON object is wanted"}));

TEST(BadConfig, IsRefusedWhenTheDialectsDisagree) {
  auto file = small();
  file["rope_scaling"] = {{"rope_type", "linear"}, {"factor", 2}};
  file["rope_parameters"] = {{"rope_type", "linear"}, {"factor", 4}, {"rope_theta", 10000}};
  EXPECT_THAT(refusal([&] { read_config_json(file.dump()); }),
              HasSubstr("rope_parameters: differs from rope_scaling"));
  file["rope_scaling"] = nullptr;
  EXPECT_THAT(refusal([&] { read_config_json(file.dump()); }),
              HasSubstr("rope_parameters: differs from rope_scaling, which is null"));
}

TEST(BadConfig, IsRefusedWhenItIsNoJsonObject) {
  EXPECT_THAT(refusal([] { read_config_json(""); }), HasSubstr("config.json: no valid JSON"));
  EXPECT_THAT(refusal([] { read_config_json("[]"); }),
              HasSubstr("config.json: a JSON object is wanted"));
  EXPECT_THAT(refusal([] { read_config_json(R"({"model_type":"llama","model_type":"llama"})"); }),
              HasSubstr("model_type: the key occurs twice"));
  EXPECT_THAT(refusal([] { read_config_json(R"({"a": NaN})"); }), HasSubstr("no valid JSON"));
  // What it quotes of the file is one byte of two, and a report of it is JSON.
  EXPECT_TRUE(valid_utf8(refusal([] { read_config_json("{\xC3\xA9"); })));
}

TEST(BadConfig, IsRefusedForEndTokensWithoutEnd) {
  auto file = small();
  file["eos_token_id"] = std::vector<int>(1001, 2);
  EXPECT_THAT(refusal([&] { read_config_json(file.dump()); }),
              HasSubstr("eos_token_id: more than 1000 end tokens"));
}

TEST(BadGenerationConfig, IsRefusedForATokenThatIsNone) {
  auto config = read_config_json(small().dump());
  EXPECT_THAT(refusal([&] { add_generation_config(config, R"({"eos_token_id": 500})"); }),
              HasSubstr("eos_token_id: 500 is no token"));
}

struct BadAdapter {
  const char* key;
  const char* value;
  const char* says;
};

class BadAdapterConfig : public testing::TestWithParam<BadAdapter> {};

TEST_P(BadAdapterConfig, IsRefusedByTheNameOfTheKey) {
  auto file = json::parse(
      R"({"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["q_proj"], "bias": "none"})");
  EXPECT_EQ(read_adapter_config(file.dump()).rank, 4);
  file[GetParam().key] = json::parse(GetParam().value);
  EXPECT_THAT(refusal([&] { read_adapter_config(file.dump()); }),
              HasSubstr(std::string("adapter_config.json: ") + GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    Files, BadAdapterConfig,
    testing::Values(
        BadAdapter{"peft_type", R"("IA3")", "peft_type: \"IA3\""},
        BadAdapter{"task_type", R"("SEQ_2_SEQ_LM")", "task_type: \"SEQ_2_SEQ_LM\""},
        BadAdapter{"task_type", R"("SEQ_CLS")", "modules_to_save: "},
        BadAdapter{"bias", R"("all")", "bias: \"all\""},
        BadAdapter{"peft_type", "null", "peft_type: is missing"},
        BadAdapter{"lora_alpha", R"("8")", "lora_alpha: a finite number is wanted"},
        BadAdapter{"target_modules", R"(["q_proj", 1])", "target_modules: a list"},
        BadAdapter{"base_model_name_or_path", "[]", "base_model_name_or_path: a string"},
        BadAdapter{"use_rslora", "1", "use_rslora: true or false is wanted"},
        BadAdapter{"r", R"("4")", "r: an integer is wanted"},
        BadAdapter{"lora_alpha", "null", "lora_alpha: is missing"},
        BadAdapter{"target_modules", R"("all-linear")", "target_modules: a list"},
        BadAdapter{"target_modules", "[]", "target_modules: a list"},
        BadAdapter{"use_dora", "true", "use_dora: is not supported"},
        BadAdapter{"modules_to_save", R"(["lm_head"])", "modules_to_save: is not supported"},
        BadAdapter{"rank_pattern", R"({"q_proj": 8})", "rank_pattern: is not supported"},
        BadAdapter{"layers_to_transform", "[0]", "layers_to_transform"},
        BadAdapter{"fan_in_fan_out", "true", "fan_in_fan_out"},
        BadAdapter{"init_lora_weights", R"("pissa")", "init_lora_weights"},
        BadAdapter{"a_later_invention", "true", "a_later_invention: is not supported"}));

TEST(BadAdapterConfig, OfARewardIsRefusedForOtherModulesThanItsHead) {
  const auto read = [](const char* saved) {
    return refusal([&] {
      read_adapter_config(
          std::string(
              R"({"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["q_proj"],
                          "task_type": "SEQ_CLS", "modules_to_save": )") +
          saved + "}");
    });
  };
  EXPECT_THAT(read("null"), HasSubstr("modules_to_save: is missing"));
  EXPECT_THAT(read(R"(["classifier"])"), HasSubstr("must hold the module \"score\""));
  EXPECT_THAT(read(R"(["score", "lm_head"])"), HasSubstr("\"lm_head\" is not supported"));
  EXPECT_THAT(read("[7]"), HasSubstr("7 is not supported"));
}

TEST(BadAdapterConfig, IsRefusedForJsonTricks) {
  const auto read = [](const std::string& text) {
    return refusal([&] { read_adapter_config(text); });
  };
  EXPECT_THAT(read(""), HasSubstr("adapter_config.json: no valid JSON"));
  EXPECT_THAT(read("[]"), HasSubstr("adapter_config.json: a JSON object is wanted"));
  EXPECT_THAT(read(R"({"r": 4, "r": 8})"), HasSubstr("r: the key occurs twice"));
  EXPECT_THAT(read("{\"r\": \"\xFF\"}"), HasSubstr("no valid JSON"));
  EXPECT_THAT(read(std::string(100, '[')), HasSubstr("nested deeper than 32"));
}

}  // namespace
}  // namespace hone::rl
