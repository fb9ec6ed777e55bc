// Malformed and unsupported tokenizer.json files, each with its own refusal.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include <cstdint>

#include "feedback/base/error.h"
#include "rl/tokenizer/tokenizer.h"

namespace hone::rl {
namespace {

using nlohmann::json;
using testing::HasSubstr;

json small() {
  return json::parse(R"({
    "version": "1.0", "truncation": null, "padding": null,
    "added_tokens": [{"id": 3, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}],
    "normalizer": null,
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
    "post_processor": null,
    "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
    "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null, "end_of_word_suffix": null,
              "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
              "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}
  })");
}

std::string refusal(const std::string& text) {
  try {
    Tokenizer::from_json(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::Invalid);
    return error.detail();
  }
  return "accepted";
}

TEST(BadTokenizer, TheSmallOneIsGood) {
  const auto tokenizer = Tokenizer::from_json(small().dump());
  EXPECT_EQ(tokenizer->encode("ab<s>ba", false), (std::vector<std::int64_t>{2, 3, 1, 0}));
}

struct Bad {
  const char* pointer;  // what is changed in the small one
  const char* value;
  const char* says;
};

class BadTokenizer : public testing::TestWithParam<Bad> {};

TEST_P(BadTokenizer, IsRefusedByTheNameOfWhatIsWrong) {
  auto file = small();
  file[json::json_pointer(GetParam().pointer)] = json::parse(GetParam().value);
  EXPECT_THAT(refusal(file.dump()), HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    Files, BadTokenizer,
    testing::Values(
        Bad{"/model/type", R"("WordPiece")", "model.type: model \"WordPiece\" is not supported"},
        Bad{"/model/type", R"("Unigram")", "model.type: model \"Unigram\""},
        Bad{"/model/dropout", "0.1", "model.dropout: is not supported"},
        Bad{"/model/continuing_subword_prefix", R"("##")", "model.continuing_subword_prefix"},
        Bad{"/model/end_of_word_suffix", R"("</w>")", "model.end_of_word_suffix"},
        Bad{"/model/vocab", "[]", "model.vocab: a JSON object is wanted"},
        Bad{"/model/vocab/a", "-1", "model.vocab.a: an id from 0"},
        Bad{"/model/vocab/a", "1.5", "model.vocab.a: an id from 0"},
        Bad{"/model/vocab/a", "99999999", "model.vocab.a: an id from 0"},
        Bad{"/model/vocab/c", "1", "has the id 1 of"},
        Bad{"/model/merges", "{}", "model.merges: a list is wanted"},
        Bad{"/model/merges/0", R"("ab")", "model.merges[0]: two tokens are wanted"},
        Bad{"/model/merges/0", R"("a b c")", "model.merges[0]"},
        Bad{"/model/merges/0", R"(["a"])", "model.merges[0]"},
        Bad{"/model/merges/0", R"(["a", 3])", "model.merges[0]"},
        Bad{"/model/merges/0", R"("b a")", "merge 0 (\"b\", \"a\")"},
        Bad{"/model/extra", "true", "model.extra: is not supported"},
        Bad{"/model/fuse_unk", "1", "model.fuse_unk: true or false is wanted"},
        Bad{"/surprise", "1", "surprise: is not supported"},
        Bad{"/normalizer", R"({"type": "Lowercase"})", "normalizer \"Lowercase\""},
        Bad{"/normalizer", R"({"type": "Replace", "pattern": {"Regex": "a"}, "content": ""})",
            "normalizer.pattern.Regex: is not supported"},
        Bad{"/normalizer", R"({"type": "Sequence", "normalizers": [{"type": "NFKC"}]})",
            "normalizer.normalizers[0].type"},
        Bad{"/normalizer", "3", "normalizer: a JSON object is wanted"},
        Bad{"/pre_tokenizer", R"({"type": "Whitespace"})", "pre-tokenizer \"Whitespace\""},
        Bad{"/pre_tokenizer",
            R"({"type": "Split", "pattern": {"Regex": "(a"}, "behavior": "Isolated", "invert": false})",
            "pattern (a"},
        Bad{"/pre_tokenizer",
            R"({"type": "Split", "pattern": {"Regex": "a"}, "behavior": "MergedWithNext", "invert": false})",
            "behavior: \"MergedWithNext\""},
        Bad{"/pre_tokenizer",
            R"({"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"}, {"type": "Digits"}]})",
            "a step after ByteLevel"},
        Bad{"/pre_tokenizer",
            R"({"type": "Sequence", "pretokenizers": [{"type": "Sequence", "pretokenizers": []}]})",
            "Sequence inside a Sequence"},
        Bad{"/post_processor", R"({"type": "BertProcessing"})",
            "post-processor \"BertProcessing\""},
        Bad{"/post_processor",
            R"({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<x>"}}], "special_tokens": {}})",
            "special_tokens.<x>: is missing"},
        Bad{"/post_processor",
            R"({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x"}}], "special_tokens": {"x": {"ids": [77]}}})",
            "id 77 is no token"},
        Bad{"/post_processor",
            R"({"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A"}}, {"Sequence": {"id": "A"}}], "special_tokens": {}})",
            "single[1].Sequence: a second place for the text"},
        Bad{"/post_processor",
            R"({"type": "TemplateProcessing", "single": [{"Sequence": {"id": "B"}}], "special_tokens": {}})",
            "single[0].Sequence: only the first text"},
        Bad{"/decoder", R"({"type": "WordPiece"})", "decoder \"WordPiece\""},
        Bad{"/decoder", R"({"type": "Strip", "content": "", "start": 1, "stop": 0})",
            "decoder.content"},
        Bad{"/added_tokens/0/id", "0", "takes the id of \"a\""},
        Bad{"/added_tokens/0/content", R"("a")", "has id 0 in the vocabulary"},
        Bad{"/added_tokens/0/id", "-2", "out of range"},
        Bad{"/added_tokens/0/id", "88888888", "out of range"},
        Bad{"/added_tokens/0/unheard", "1", "added_tokens[0].unheard"},
        Bad{"/added_tokens", "{}", "added_tokens: a list is wanted"}));

TEST(BadTokenizer, IsRefusedWhenItIsCutShortAnywhere) {
  const auto text = small().dump();
  for (std::size_t length = 0; length < text.size(); ++length)
    ASSERT_NE(refusal(text.substr(0, length)), "accepted") << length;
}

TEST(BadTokenizer, IsRefusedForJsonTricks) {
  EXPECT_THAT(refusal(R"({"model": {}, "model": {}})"), HasSubstr("model: the key occurs twice"));
  EXPECT_THAT(refusal(std::string(5000, '[')), HasSubstr("nested deeper than 32"));
  EXPECT_THAT(refusal(small().dump() + "x"), HasSubstr("no valid JSON"));
  EXPECT_THAT(refusal("{\"a\": \"\xFF\"}"), HasSubstr("no valid JSON"));
  EXPECT_THAT(refusal("[1]"), HasSubstr("a JSON object is wanted"));
}

json steps(const char* key, int count, const json& step) {
  json list = json::array();
  for (int i = 0; i < count; ++i) list.push_back(step);
  return {{"type", "Sequence"}, {key, list}};
}

// Fifty steps that each double the text would make 2^50 characters of one.
TEST(BadTokenizer, IsStoppedWhenItsStepsGrowTheTextWithoutEnd) {
  const json doubled = {{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", "aa"}};
  const auto fails = [](const json& file) {
    const auto tokenizer = Tokenizer::from_json(file.dump());
    try {
      tokenizer->decode(tokenizer->encode("a a", false), false);
    } catch (const Error& error) {
      return error.detail();
    }
    return std::string("accepted");
  };
  auto file = small();
  file["normalizer"] = steps("normalizers", 50, doubled);
  EXPECT_THAT(fails(file), HasSubstr("many times longer"));
  file = small();
  file["decoder"] = steps("decoders", 50, doubled);
  EXPECT_THAT(fails(file), HasSubstr("many times longer"));
  file = small();
  file["pre_tokenizer"] =
      steps("pretokenizers", 50, {{"type", "Metaspace"}, {"replacement", "  "}, {"split", false}});
  EXPECT_THAT(fails(file), HasSubstr("many times longer"));
}

TEST(BadTokenizer, IsRefusedForATemplateWithoutEnd) {
  json ids = json::array();
  for (int i = 0; i < 600; ++i) ids.push_back(3);
  auto file = small();
  const json place = {{"SpecialToken", {{"id", "x"}}}};
  file["post_processor"] = {{"type", "TemplateProcessing"},
                            {"single", {place, place}},
                            {"special_tokens", {{"x", {{"ids", ids}}}}}};
  EXPECT_THAT(refusal(file.dump()), HasSubstr("single: more than 1000 tokens around the text"));
}

// Written again, one name for two ids would be the second of them twice.
TEST(Tokenizer, WritesATemplateWhoseNameStandsForSeveralIds) {
  auto file = small();
  file["post_processor"] = {
      {"type", "TemplateProcessing"},
      {"single", {{{"SpecialToken", {{"id", "x"}}}}, {{"Sequence", {{"id", "A"}}}}}},
      {"special_tokens", {{"x", {{"ids", {3, 0, 3}}}}}}};
  const auto tokenizer = Tokenizer::from_json(file.dump());
  const std::vector<std::int64_t> ids = {3, 0, 3, 2};
  EXPECT_EQ(tokenizer->encode("ab", true), ids);
  EXPECT_EQ(Tokenizer::from_json(tokenizer->to_json())->encode("ab", true), ids);
}

TEST(BadTokenizer, NeedsItsUnknownTokenOnlyWhenSomethingIsUnknown) {
  auto file = small();
  file["model"]["unk_token"] = "<none>";
  const auto tokenizer = Tokenizer::from_json(file.dump());
  EXPECT_EQ(tokenizer->encode("ab", false).size(), 1u);
  EXPECT_THROW(tokenizer->encode("z", false), Error);
}

}  // namespace
}  // namespace hone::rl
