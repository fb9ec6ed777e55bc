#include "rl/formats/config.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>

namespace hone::rl {
namespace {

using nlohmann::json;

constexpr const char* kOldDialect =
    R"({"model_type": "llama", "vocab_size": 100, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
  "num_attention_heads": 4, "rms_norm_eps": 1e-05, "rope_theta": 500000.0, "eos_token_id": [2, 3], "tie_word_embeddings": true, "custom": {"kept": true},
  "rope_scaling": {"type": "llama3", "factor": 32, "low_freq_factor": 1, "high_freq_factor": 4, "original_max_position_embeddings": 8192}})";

TEST(Config, ReadsTheOlderRopeDialectAndWhatMissingKeysMean) {
  const auto config = read_config_json(kOldDialect);
  EXPECT_EQ(config.rope_theta, 500000);
  EXPECT_EQ(config.rope_scaling.type, "llama3");
  EXPECT_EQ(config.rope_scaling.factor, 32);
  EXPECT_EQ(config.num_key_value_heads, 4);
  EXPECT_EQ(config.head_dim, 4);
  EXPECT_EQ(config.eos_token_ids, (std::vector<std::int64_t>{2, 3}));
  EXPECT_FALSE(config.bos_token_id);
}

TEST(Config, WritesBothDialectsAndReadsThemBackTheSame) {
  const auto config = read_config_json(kOldDialect);
  const auto text = write_config_json(config, "bfloat16", kOldDialect);
  const auto written = json::parse(text);
  EXPECT_EQ(written["rope_theta"], 500000.0);
  EXPECT_EQ(written["rope_parameters"]["rope_theta"], 500000.0);
  EXPECT_EQ(written["rope_scaling"]["rope_type"], "llama3");
  EXPECT_EQ(written["rope_parameters"]["factor"], 32);
  EXPECT_EQ(written["dtype"], "bfloat16");
  EXPECT_EQ(written["torch_dtype"], "bfloat16");
  EXPECT_EQ(written["custom"]["kept"], true);  // the base's own key stays
  const auto again = read_config_json(text);
  EXPECT_EQ(write_config_json(again, "bfloat16", kOldDialect), text);
  EXPECT_EQ(again.rope_scaling.original_max_position_embeddings, 8192);
  EXPECT_EQ(again.rms_norm_eps, 1e-5);
}

TEST(Config, WritesNoScalingAsNull) {
  auto config = read_config_json(kOldDialect);
  config.rope_scaling = {};
  const auto written = json::parse(write_config_json(config, "float32"));
  EXPECT_TRUE(written["rope_scaling"].is_null());
  EXPECT_EQ(written["rope_parameters"]["rope_type"], "default");
}

TEST(Config, JoinsTheEndTokensOfBothFilesWithoutDoubles) {
  auto config = read_config_json(kOldDialect);
  add_generation_config(config, R"({"eos_token_id": [3, 7], "pad_token_id": 9})");
  EXPECT_EQ(config.eos_token_ids, (std::vector<std::int64_t>{2, 3, 7}));
  EXPECT_EQ(config.pad_token_id, 9);
}

TEST(Config, NamesEveryWeight) {
  auto config = read_config_json(kOldDialect);
  EXPECT_EQ(expected_weights(config).size(), 2u + 2 * 9);  // tied: no lm_head
  config.tie_word_embeddings = false;
  config.attention_bias = true;
  const auto weights = expected_weights(config);
  EXPECT_EQ(weights.size(), 3u + 2 * 13);
  const auto bias =
      std::ranges::find(weights, "model.layers.1.self_attn.k_proj.bias", &WeightShape::name);
  ASSERT_NE(bias, weights.end());
  EXPECT_EQ(bias->shape, std::vector<std::int64_t>{16});
}

json small(const std::string& model_type) {
  return {{"model_type", model_type}, {"vocab_size", 100},      {"hidden_size", 64},
          {"intermediate_size", 96},  {"num_hidden_layers", 4}, {"num_attention_heads", 32}};
}

TEST(Config, AnAbsentKeyMeansWhatTheFamilysClassSays) {
  auto mistral = read_config_json(small("mistral").dump());
  EXPECT_EQ(mistral.num_key_value_heads, 8);
  EXPECT_EQ(mistral.windows, (std::vector<std::int64_t>(4, 4096)));
  auto unlimited = small("mistral");
  unlimited["sliding_window"] = nullptr;
  EXPECT_TRUE(read_config_json(unlimited.dump()).windows.empty());

  const auto qwen2 = read_config_json(small("qwen2").dump());
  EXPECT_TRUE(qwen2.qkv_bias);
  EXPECT_FALSE(qwen2.attention_bias);
  EXPECT_TRUE(qwen2.windows.empty());  // use_sliding_window is off
  auto windowed = small("qwen2");
  windowed.update({{"use_sliding_window", true}, {"sliding_window", 8}, {"max_window_layers", 3}});
  EXPECT_EQ(read_config_json(windowed.dump()).windows, (std::vector<std::int64_t>{0, 0, 0, 8}));

  const auto qwen3 = read_config_json(small("qwen3").dump());
  EXPECT_EQ(qwen3.head_dim, 128);
  EXPECT_TRUE(qwen3.qk_norm);
  const auto smollm3 = read_config_json(small("smollm3").dump());
  EXPECT_EQ(smollm3.unturned, (std::vector<bool>{false, false, false, true}));
  EXPECT_EQ(smollm3.rope_theta, 2000000);
  EXPECT_TRUE(smollm3.tie_word_embeddings);
}

TEST(Config, EveryFamilyIsReadAsItWasWritten) {
  for (const auto* name : {"llama", "mistral", "qwen2", "qwen3", "smollm3"}) {
    auto file = small(name);
    file["rope_scaling"] = {
        {"rope_type", "yarn"}, {"factor", 4}, {"original_max_position_embeddings", 64}};
    file["use_sliding_window"] = true;
    file["sliding_window"] = 16;
    file["max_window_layers"] = 2;
    const auto first = read_config_json(file.dump());
    const auto again = read_config_json(write_config_json(first, "float32"));
    EXPECT_EQ(again.windows, first.windows) << name;
    EXPECT_EQ(again.unturned, first.unturned) << name;
    EXPECT_EQ(again.rope_scaling, first.rope_scaling) << name;
    EXPECT_EQ(expected_weights(again).size(), expected_weights(first).size()) << name;
    EXPECT_EQ(again.head_dim, first.head_dim) << name;
  }
}

}  // namespace
}  // namespace hone::rl
