// GGUF files that are whole, and whose keys make no model or no tokenizer: each with its own
// refusal.
#include <gmock/gmock.h>

#include <cmath>
#include <cstdint>
#include <map>

#include "rl/formats/gguf_model.h"
#include "rl/tokenizer/tokenizer.h"
#include "tests/unit/rl/formats/support.h"

namespace hone::rl {
namespace {

using testing::AllOf;
using testing::HasSubstr;

struct Given {
  std::uint32_t type;
  std::string bytes;
};
using Keys = std::map<std::string, Given>;

Given u32(std::uint32_t value) { return {4, little(value)}; }
Given i32(std::int32_t value) { return {5, little(value)}; }
Given f32(float value) { return {6, little(value)}; }
Given yes() { return {7, "\1"}; }
Given text(const std::string& value) { return {8, GgufBytes::text(value)}; }
Given f64(double value) { return {12, little(value)}; }
Given texts(const std::vector<std::string>& values) {
  std::string all = little<std::uint32_t>(8) + little<std::uint64_t>(values.size());
  for (const auto& value : values) all += GgufBytes::text(value);
  return {9, all};
}
template <class T>
Given list(std::uint32_t item, const std::vector<T>& values) {
  std::string all = little(item) + little<std::uint64_t>(values.size());
  for (const auto value : values) all += little(value);
  return {9, all};
}

const Keys kGood = {{"general.architecture", text("llama")},
                    {"llama.embedding_length", u32(4)},
                    {"llama.feed_forward_length", u32(2)},
                    {"llama.block_count", u32(1)},
                    {"llama.context_length", u32(16)},
                    {"llama.attention.head_count", u32(1)},
                    {"llama.attention.layer_norm_rms_epsilon", f32(1e-5F)},
                    {"tokenizer.ggml.model", text("gpt2")},
                    {"tokenizer.ggml.pre", text("gpt-2")},
                    {"tokenizer.ggml.tokens", texts({"a", "b", "ab", "[PAD3]"})},
                    {"tokenizer.ggml.token_type", list<std::int32_t>(5, {1, 1, 1, 5})},
                    {"tokenizer.ggml.merges", texts({"a b"})}};

const Keys kLlama3 = {{"hone.rope.factor", f32(8)},
                      {"hone.rope.low_freq_factor", f32(1)},
                      {"hone.rope.high_freq_factor", f32(4)},
                      {"hone.rope.original_context_length", u32(8192)}};

struct Bad {
  const char* name;
  Keys changed;
  const char* says;
};
void PrintTo(const Bad& bad, std::ostream* out) { *out << bad.name; }

/// The good file with some keys of another value; a value of type 99 takes the key out.
const Given kGone = {99, ""};
std::filesystem::path made(const Folder& folder, const Keys& changed) {
  auto keys = kGood;
  for (const auto& [key, value] : changed) keys[key] = value;
  GgufBytes file;
  for (const auto& [key, value] : keys)
    if (value.type != kGone.type) file.key(key, value.type, value.bytes);
  file.tensor_with_data("token_embd.weight", {4, 4}, 0, std::string(64, '\0'));
  if (keys.contains("hone.rope.factor"))
    file.tensor_with_data("rope_freqs.weight", {2}, 0, floats({1, 2}));
  return folder.put("bad.gguf", file.bytes());
}

TEST(GgufKeys, OfTheGoodFileMakeAModelAndATokenizer) {
  const Folder folder;
  const GgufFile file(made(folder, {}));
  EXPECT_EQ(read_gguf_config(file).vocab_size, 4);
  EXPECT_EQ(Tokenizer::from_gguf(file)->encode("ab", true), std::vector<std::int64_t>{2});
}

class BadGgufModelKeys : public testing::TestWithParam<Bad> {};

TEST_P(BadGgufModelKeys, IsRefusedByTheNameOfTheKey) {
  const Folder folder;
  const GgufFile file(made(folder, GetParam().changed));
  EXPECT_THAT(refusal([&] { read_gguf_config(file); }), HasSubstr(GetParam().says));
}

Keys llama3(const char* key, const Given& value) {
  auto keys = kLlama3;
  keys[key] = value;
  return keys;
}

INSTANTIATE_TEST_SUITE_P(
    Files, BadGgufModelKeys,
    testing::Values(
        Bad{"NoArchitecture", {{"general.architecture", kGone}}, "architecture: is missing"},
        Bad{"ArchitectureOfAnotherType", {{"general.architecture", u32(1)}}, "a string is wanted"},
        Bad{"ArchitectureNoUtf8", {{"general.architecture", text("\xFF")}}, "is not UTF-8"},
        Bad{"ArchitectureUnknown", {{"general.architecture", text("mamba")}}, "\"mamba\" is not"},
        Bad{"AnAdapter", {{"general.type", text("adapter")}}, "\"adapter\" is no model"},
        Bad{"NoWidth", {{"llama.embedding_length", kGone}}, "embedding_length: is missing"},
        Bad{"WidthAText", {{"llama.embedding_length", text("4")}}, "an integer is wanted"},
        Bad{"NegativeLayers", {{"llama.block_count", i32(-1)}}, "-1 is not between"},
        Bad{"NoHeads", {{"llama.attention.head_count", u32(0)}}, "head_count: must be above 0"},
        Bad{"HeadsByLayer",
            {{"llama.attention.head_count", list<std::int32_t>(5, {1, 2})}},
            "head_count: an integer is wanted"},
        Bad{"NoEpsilon",
            {{"llama.attention.layer_norm_rms_epsilon", kGone}},
            "layer_norm_rms_epsilon: is missing"},
        Bad{"EpsilonNotANumber",
            {{"llama.attention.layer_norm_rms_epsilon", f32(NAN)}},
            "layer_norm_rms_epsilon: a finite number"},
        Bad{"Experts", {{"llama.expert_count", u32(8)}}, "expert_count: is not supported"},
        Bad{"PartialRotation",
            {{"llama.rope.dimension_count", u32(2)}, {"llama.attention.key_length", u32(4)}},
            "partial rotation is not supported"},
        Bad{"OtherValues", {{"llama.attention.value_length", u32(2)}}, "differs from the keys'"},
        Bad{"ThetaInfinite", {{"llama.rope.freq_base", f64(INFINITY)}}, "freq_base: a finite"},
        Bad{"ThetaBelow0", {{"llama.rope.freq_base", f32(-1)}}, "rope_theta: must be above 0"},
        Bad{"ScalingUnknown", {{"llama.rope.scaling.type", text("su")}}, "\"su\" is not supported"},
        Bad{"ScalingWithoutFactor",
            {{"llama.rope.scaling.type", text("linear")}},
            "scaling.factor: is missing or not above 0"},
        Bad{"YarnWithoutLength",
            {{"llama.rope.scaling.type", text("yarn")}, {"llama.rope.scaling.factor", f32(4)}},
            "original_context_length: is missing or below 1"},
        Bad{"EndIsNoToken", {{"tokenizer.ggml.eos_token_id", u32(4)}}, "eos_token_id: 4 is no"},
        Bad{"EndsWithoutEnd",
            {{"hone.eos_token_ids", list(5, std::vector<std::int32_t>(1001, 1))}},
            "more than 1000 end tokens"},
        Bad{"EndsAreTexts", {{"hone.eos_token_ids", texts({"</s>"})}}, "a list of integers"},
        Bad{"FactorsOfNoModel", kLlama3, "are not those of a Llama 3 model"},
        Bad{"FactorsBesideScaling",
            {{"hone.rope.factor", f32(8)},
             {"llama.rope.scaling.type", text("linear")},
             {"llama.rope.scaling.factor", f32(2)}},
            "scaling.type: stands beside rotary factors"},
        Bad{"FactorsWithoutLow", llama3("hone.rope.low_freq_factor", kGone),
            "low_freq_factor: is missing or not above 0"},
        Bad{"FactorsBackwards", llama3("hone.rope.high_freq_factor", f32(1)),
            "high_freq_factor: must be above low_freq_factor"},
        Bad{"FactorsOfNoLength", llama3("hone.rope.original_context_length", u32(0)),
            "original_context_length: is missing or below 1"},
        Bad{"FactorsOfAFractionalLength", llama3("hone.rope.original_context_length", f64(1e300)),
            "original_context_length: an integer is wanted"}),
    [](const auto& test) { return std::string(test.param.name); });

class BadGgufTokenizerKeys : public testing::TestWithParam<Bad> {};

TEST_P(BadGgufTokenizerKeys, IsRefusedByTheNameOfTheKey) {
  const Folder folder;
  const GgufFile file(made(folder, GetParam().changed));
  EXPECT_THAT(refusal([&] { Tokenizer::from_gguf(file); }),
              AllOf(HasSubstr("bad.gguf: "), HasSubstr(GetParam().says)));
}

INSTANTIATE_TEST_SUITE_P(
    Files, BadGgufTokenizerKeys,
    testing::Values(
        Bad{"NoTokens", {{"tokenizer.ggml.tokens", texts({})}}, "tokens: is missing or empty"},
        Bad{"TokensAreNumbers",
            {{"tokenizer.ggml.tokens", list<std::int32_t>(5, {1})}},
            "tokens: a list of strings is wanted"},
        Bad{"EmptyToken",
            {{"tokenizer.ggml.tokens", texts({"a", "", "ab", "x"})}},
            "tokens[1]: is empty"},
        Bad{"UnknownType",
            {{"tokenizer.ggml.token_type", list<std::int32_t>(5, {1, 9, 1, 5})}},
            "token_type[1]: 9 is no token type"},
        Bad{"MergeOfNothing", {{"tokenizer.ggml.merges", texts({"a "})}}, "merges[0]: two tokens"},
        Bad{"EmptyMerge", {{"tokenizer.ggml.merges", texts({""})}}, "merges[0]: two tokens"},
        Bad{"BosPastTheEnd",
            {{"tokenizer.ggml.add_bos_token", yes()}, {"tokenizer.ggml.bos_token_id", u32(4)}},
            "bos_token_id: 4 is no token"},
        Bad{"BosUnused",
            {{"tokenizer.ggml.add_bos_token", yes()}, {"tokenizer.ggml.bos_token_id", u32(3)}},
            "bos_token_id: 3 is an unused token"},
        Bad{"AddBosAText",
            {{"tokenizer.ggml.add_bos_token", text("true")}},
            "add_bos_token: true or false is wanted"},
        Bad{"ScoresAreTexts",
            {{"tokenizer.ggml.model", text("llama")}, {"tokenizer.ggml.scores", texts({"1"})}},
            "scores: a list of numbers is wanted"},
        Bad{"FewerScores",
            {{"tokenizer.ggml.model", text("llama")},
             {"tokenizer.ggml.scores", list<float>(6, {1, 2})}},
            "scores: 2 entries for 4 tokens"},
        Bad{"PieceTooLong",
            {{"tokenizer.ggml.model", text("llama")},
             {"tokenizer.ggml.tokens", texts({"a", "b", std::string(5000, 'x'), "x"})},
             {"tokenizer.ggml.scores", list<float>(6, {1, 2, 3, 4})}},
            "tokens[2]: 5000 bytes, more than 4096"},
        Bad{"ScoreNotANumber",
            {{"tokenizer.ggml.model", text("llama")},
             {"tokenizer.ggml.scores", list<float>(6, {1, NAN, 2, 3})}},
            "scores[1]: a finite number is wanted"}),
    [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace hone::rl
