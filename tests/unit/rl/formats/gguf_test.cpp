#include "rl/formats/gguf.h"

#include <gmock/gmock.h>

#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "rl/formats/base.h"
#include "rl/formats/files.h"
#include "rl/formats/gguf_model.h"
#include "rl/tokenizer/tokenizer.h"
#include "tests/unit/rl/formats/support.h"

namespace hone::rl {
namespace {

using testing::HasSubstr;

TEST(Gguf, ReadsKeysOfEveryKind) {
  const Folder folder;
  GgufBytes made;
  made.key("u8", 0, "\xFF")
      .key("i8", 1, "\xFF")
      .u32("u32", 7)
      .f32("eps", 1e-5F)
      .string("name", "ü")
      .strings("list", {"a", "", "c"});
  made.key("yes", 7, "\1")
      .key("u64", 10, little<std::uint64_t>(1ULL << 40))
      .key("i64", 11, little<std::int64_t>(-5))
      .key("f64", 12, little(0.25));
  made.key("ints", 9,
           little<std::uint32_t>(5) + little<std::uint64_t>(2) + little<std::int32_t>(-1) +
               little<std::int32_t>(3));
  const GgufFile file(folder.put("f.gguf", made.bytes()));
  EXPECT_EQ(file.integer("u8"), 255);
  EXPECT_EQ(file.integer("i8"), -1);
  EXPECT_EQ(file.integer("u64"), 1LL << 40);
  EXPECT_EQ(file.integer("i64"), -5);
  EXPECT_EQ(file.number("eps"), 1e-5);  // the decimal that was meant, not the f32 beside it
  EXPECT_EQ(file.number("f64"), 0.25);
  EXPECT_EQ(file.number("u32"), 7);
  EXPECT_EQ(file.text("name"), "ü");
  EXPECT_EQ(file.texts("list"), (std::vector<std::string_view>{"a", "", "c"}));
  EXPECT_EQ(file.integers("ints"), (std::vector<std::int64_t>{-1, 3}));
  EXPECT_EQ(file.boolean("yes"), true);
  EXPECT_EQ(file.integer("none"), std::nullopt);
  EXPECT_THAT(refusal([&] { file.integer("name"); }),
              HasSubstr("f.gguf: name: an integer is wanted"));
  EXPECT_THAT(refusal([&] { file.text("u32"); }), HasSubstr("u32: a string is wanted"));
  EXPECT_THAT(refusal([&] { file.texts("name"); }), HasSubstr("name: a list of strings is wanted"));
  EXPECT_THAT(refusal([&] { file.boolean("u32"); }), HasSubstr("u32: true or false is wanted"));
}

// One head of width 4: the file holds rows 0, 2, 1, 3 of Hugging Face's order.
GgufBytes tiny_llama(const std::string& architecture = "llama") {
  GgufBytes made;
  made.string("general.architecture", architecture).string("general.name", "Tiny");
  made.u32(architecture + ".embedding_length", 4)
      .u32(architecture + ".feed_forward_length", 2)
      .u32(architecture + ".block_count", 1)
      .u32(architecture + ".context_length", 16);
  made.u32(architecture + ".attention.head_count", 1)
      .f32(architecture + ".attention.layer_norm_rms_epsilon", 1e-5F)
      .f32(architecture + ".rope.freq_base", 500000);
  made.string("tokenizer.ggml.model", "gpt2").string("tokenizer.ggml.pre", "gpt-2");
  made.strings("tokenizer.ggml.tokens", {"a", "b", "ab"}).strings("tokenizer.ggml.merges", {"a b"});
  made.u32("tokenizer.ggml.eos_token_id", 1).u32("tokenizer.ggml.eot_token_id", 2);
  const auto rows = [](std::size_t count) {
    std::vector<float> values(count * 4);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i / 4);
    return floats(values);
  };
  made.tensor_with_data("token_embd.weight", {4, 3}, 0, rows(3))
      .tensor_with_data("output_norm.weight", {4}, 0, rows(1));
  for (const auto* name : {"attn_q", "attn_k", "attn_v", "attn_output"})
    made.tensor_with_data(std::string("blk.0.") + name + ".weight", {4, 4}, 0, rows(4));
  for (const auto* name : {"attn_norm", "ffn_norm"})
    made.tensor_with_data(std::string("blk.0.") + name + ".weight", {4}, 0, rows(1));
  for (const auto* name : {"ffn_gate", "ffn_up"})
    made.tensor_with_data(std::string("blk.0.") + name + ".weight", {4, 2}, 0, rows(2));
  made.tensor_with_data("blk.0.ffn_down.weight", {2, 4}, 0, floats(std::vector<float>(8, 1)));
  return made;
}

TEST(GgufBase, OfAQwenHasBiasesOrHeadNormsAndRowsInTheirOwnOrder) {
  const Folder folder;
  auto qwen2 = tiny_llama("qwen2");
  for (const auto* name : {"attn_q", "attn_k", "attn_v"})
    qwen2.tensor_with_data(std::string("blk.0.") + name + ".bias", {4}, 0, floats({0, 1, 2, 3}));
  auto base = open_base(folder.put("qwen2.gguf", qwen2.bytes()));
  EXPECT_EQ(base.config.model_type, "qwen2");
  EXPECT_TRUE(base.config.qkv_bias);
  for (const auto* name : {"q_proj.weight", "q_proj.bias"}) {
    const auto rows = base.weights->read_f32(std::string("model.layers.0.self_attn.") + name);
    for (std::int64_t row = 0; row < 4; ++row)
      EXPECT_EQ(rows.const_data_ptr<float>()[row * rows.stride(0)], static_cast<float>(row));
  }
  EXPECT_THAT(refusal([&] { open_base(folder.put("bare.gguf", tiny_llama("qwen2").bytes())); }),
              HasSubstr("model.layers.0.self_attn.q_proj.bias: is missing"));

  auto qwen3 = tiny_llama("qwen3");
  for (const auto* name : {"attn_q_norm", "attn_k_norm"})
    qwen3.tensor_with_data(std::string("blk.0.") + name + ".weight", {4}, 0, floats({1, 2, 3, 4}));
  base = open_base(folder.put("qwen3.gguf", qwen3.bytes()));
  EXPECT_TRUE(base.config.qk_norm);
  EXPECT_EQ(base.weights->read_f32("model.layers.0.self_attn.k_norm.weight").numel(), 4);
}

TEST(GgufBase, ALlamaWithAWindowIsAMistral) {
  const Folder folder;
  auto made = tiny_llama();
  made.u32("llama.attention.sliding_window", 7);
  const auto base = open_base(folder.put("mistral.gguf", made.bytes()));
  EXPECT_EQ(base.config.model_type, "mistral");
  EXPECT_EQ(base.config.windows, std::vector<std::int64_t>{7});
  auto other = tiny_llama("qwen2");
  other.u32("qwen2.attention.sliding_window", 7);
  EXPECT_THAT(refusal([&] { open_base(folder.put("other.gguf", other.bytes())); }),
              HasSubstr("qwen2.attention.sliding_window: is not supported"));
}

TEST(GgufBase, UndoesTheInterleavingOfQueriesAndKeysOnly) {
  const Folder folder;
  const auto base = open_base(folder.put("tiny.gguf", tiny_llama().bytes()));
  const auto first_column = [&](const std::string& name) {
    const auto tensor = base.weights->read_f32(name);
    std::vector<float> values;
    for (std::int64_t row = 0; row < tensor.size(0); ++row)
      values.push_back(tensor.const_data_ptr<float>()[row * tensor.size(1)]);
    return values;
  };
  EXPECT_EQ(first_column("model.layers.0.self_attn.q_proj.weight"),
            (std::vector<float>{0, 2, 1, 3}));
  EXPECT_EQ(first_column("model.layers.0.self_attn.k_proj.weight"),
            (std::vector<float>{0, 2, 1, 3}));
  EXPECT_EQ(first_column("model.layers.0.self_attn.v_proj.weight"),
            (std::vector<float>{0, 1, 2, 3}));
  EXPECT_EQ(base.config.eos_token_ids, (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(base.config.rms_norm_eps, 1e-5);
  EXPECT_TRUE(base.config.tie_word_embeddings);
  EXPECT_FALSE(base.quantised);
  EXPECT_EQ(base.chat, nullptr);
  EXPECT_EQ(base.chat_problem, "the base has no chat template");
  EXPECT_EQ(base.description, "Tiny, GGUF F32");
}

TEST(GgufBase, ReadsLlama3ScalingBackFromItsFactors) {
  const Folder folder;
  // theta 500000, width 4: wavelengths 6.28 and 4442.9; the second lies between 8192/4 and 8192.
  const double smooth = (8192 / (2 * 3.14159265358979 * std::sqrt(500000.0)) - 1) / 3;
  auto made = tiny_llama();
  made.tensor_with_data("rope_freqs.weight", {2}, 0,
                        floats({1, static_cast<float>(1 / ((1 - smooth) / 32 + smooth))}));
  const auto config = open_base(folder.put("scaled.gguf", made.bytes())).config;
  EXPECT_EQ(config.rope_scaling.type, "llama3");
  EXPECT_EQ(config.rope_scaling.factor, 32);

  auto other = tiny_llama();
  other.tensor_with_data("rope_freqs.weight", {2}, 0, floats({1, 3}));
  EXPECT_THAT(refusal([&] { open_base(folder.put("other.gguf", other.bytes())); }),
              HasSubstr("rope_freqs.weight: these rotary factors are not those of a Llama 3"));
}

TEST(GgufBase, IsRefusedForWhatTheModelCodeDoesNotCarryOut) {
  const Folder folder;
  const auto opened = [&](const std::function<void(GgufBytes&)>& change) {
    auto made = tiny_llama();
    change(made);
    return refusal([&] { open_base(folder.put("f.gguf", made.bytes())); });
  };
  EXPECT_EQ(opened([](auto&) {}), "accepted");
  EXPECT_THAT(opened([](auto& g) { g.u32("llama.expert_count", 8); }),
              HasSubstr("llama.expert_count: is not supported"));
  EXPECT_THAT(opened([](auto& g) { g.string("llama.rope.scaling.type", "longrope"); }),
              HasSubstr("llama.rope.scaling.type: \"longrope\""));
  EXPECT_THAT(opened([](auto& g) {
                g.u32("llama.rope.dimension_count", 2).u32("llama.attention.key_length", 4);
              }),
              HasSubstr("partial rotation"));
  EXPECT_THAT(
      opened([](auto& g) { g.tensor_with_data("blk.0.attn_rot.weight", {1}, 0, floats({1})); }),
      HasSubstr("blk.0.attn_rot.weight: is no tensor of this model family"));
  EXPECT_THAT(
      opened([](auto& g) {
        g.tensor_with_data("blk.9.attn_q.weight", {4, 4}, 0, floats(std::vector<float>(16)));
      }),
      HasSubstr("model.layers.9.self_attn.q_proj.weight: is no tensor of the model"));
  EXPECT_THAT(
      opened([](auto& g) { g.u32("llama.vocab_size", 4); }),
      HasSubstr("model.embed_tokens.weight: has the shape [3, 4], the configuration makes [4, 4]"));
  EXPECT_THAT(opened([](auto& g) { g.string("general.type", "adapter"); }),
              HasSubstr("general.type: \"adapter\" is no model"));
  EXPECT_THAT(refusal([&] {
                open_base(folder.put("f.gguf",
                                     GgufBytes().string("general.architecture", "gemma").bytes()));
              }),
              HasSubstr("general.architecture: \"gemma\""));
  EXPECT_THAT(refusal([&] {
                open_base(folder.put("f.gguf",
                                     GgufBytes().string("general.architecture", "llama").bytes()));
              }),
              HasSubstr("llama.embedding_length: is missing"));
}

// The names stand for what the families' own tokenizer.json files say; the goldens hold two of
// those against the oracle.
TEST(GgufTokenizer, UnderstandsThePreTokenizerNamesAsTheFamiliesOwnFiles) {
  using nlohmann::json;
  const Folder folder;
  for (const auto& [pre, golden] :
       {std::pair{"llama-bpe", "llama3_like"}, {"qwen2", "qwen2_like"}}) {
    GgufBytes made;
    made.string("tokenizer.ggml.model", "gpt2")
        .string("tokenizer.ggml.pre", pre)
        .u32("tokenizer.ggml.bos_token_id", 0);
    made.strings("tokenizer.ggml.tokens", {"a", "b", "ab"})
        .strings("tokenizer.ggml.merges", {"a b"});
    const auto ours =
        json::parse(Tokenizer::from_gguf(GgufFile(folder.put("f.gguf", made.bytes())))->to_json());
    const auto theirs =
        json::parse(read_file(std::filesystem::path(HONE_SOURCE_DIR) / "tests/golden/rl/tokenizer" /
                                  (std::string(golden) + ".json"),
                              1 << 20));
    EXPECT_EQ(ours["normalizer"], theirs["normalizer"]) << pre;
    EXPECT_EQ(ours["pre_tokenizer"]["pretokenizers"][0],
              theirs["pre_tokenizer"]["pretokenizers"][0])
        << pre;
    EXPECT_EQ(ours["pre_tokenizer"]["pretokenizers"][1]["use_regex"], false) << pre;
    EXPECT_EQ(ours["model"]["ignore_merges"], theirs["model"]["ignore_merges"]) << pre;
    EXPECT_EQ(ours["post_processor"]["type"],
              std::string(pre) == "llama-bpe" ? "TemplateProcessing" : "ByteLevel")
        << pre;
  }
}

TEST(GgufTokenizer, CutsLikeLlamaCppWhereTheFileNamesNoPreTokenizer) {
  const Folder folder;
  GgufBytes made;
  made.string("tokenizer.ggml.model", "gpt2")
      .strings("tokenizer.ggml.tokens", {"1", "11", "111", "a", "!", "a!"});
  made.strings("tokenizer.ggml.merges", {"1 1", "11 1", "a !"});
  const auto tokenizer = Tokenizer::from_gguf(GgufFile(folder.put("f.gguf", made.bytes())));
  EXPECT_EQ(tokenizer->encode("11111", false),
            (std::vector<std::int64_t>{2, 1}));                                  // digits by threes
  EXPECT_EQ(tokenizer->encode("a!", false), (std::vector<std::int64_t>{3, 4}));  // marks alone
}

struct BadTokenizerKeys {
  const char* name;
  void (*keys)(GgufBytes&);
  const char* says;
};

class BadGgufTokenizer : public testing::TestWithParam<BadTokenizerKeys> {};

TEST_P(BadGgufTokenizer, IsRefusedByTheNameOfTheKey) {
  const Folder folder;
  GgufBytes made;
  GetParam().keys(made);
  const GgufFile file(folder.put("f.gguf", made.bytes()));
  EXPECT_THAT(refusal([&] { Tokenizer::from_gguf(file); }),
              HasSubstr(std::string("f.gguf: ") + GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    Keys, BadGgufTokenizer,
    testing::Values(
        BadTokenizerKeys{"None", [](GgufBytes&) {}, "tokenizer.ggml.model: is missing"},
        BadTokenizerKeys{"Unigram", [](GgufBytes& g) { g.string("tokenizer.ggml.model", "t5"); },
                         "tokenizer.ggml.model: tokenizer model \"t5\""},
        BadTokenizerKeys{
            "NoScores",
            [](GgufBytes& g) {
              g.string("tokenizer.ggml.model", "llama").strings("tokenizer.ggml.tokens", {"a"});
            },
            "tokenizer.ggml.scores: is missing"},
        BadTokenizerKeys{"EqualScores",
                         [](GgufBytes& g) {
                           g.string("tokenizer.ggml.model", "llama")
                               .strings("tokenizer.ggml.tokens", {"a", "b", "ab", "ba"})
                               .reals("tokenizer.ggml.scores", {-1000, -1000, -1000, -1000});
                         },
                         "tokenizer.ggml.scores: are all equal"},
        BadTokenizerKeys{
            "UnknownPre",
            [](GgufBytes& g) {
              g.string("tokenizer.ggml.model", "gpt2").string("tokenizer.ggml.pre", "viking");
            },
            "tokenizer.ggml.pre: pre-tokenizer \"viking\""},
        BadTokenizerKeys{"NoTokens", [](GgufBytes& g) { g.string("tokenizer.ggml.model", "gpt2"); },
                         "tokenizer.ggml.tokens: is missing"},
        BadTokenizerKeys{
            "NoMerges",
            [](GgufBytes& g) {
              g.string("tokenizer.ggml.model", "gpt2").strings("tokenizer.ggml.tokens", {"a"});
            },
            "tokenizer.ggml.merges: is missing"},
        BadTokenizerKeys{"OddMerge",
                         [](GgufBytes& g) {
                           g.string("tokenizer.ggml.model", "gpt2")
                               .strings("tokenizer.ggml.tokens", {"a"})
                               .strings("tokenizer.ggml.merges", {"ab"});
                         },
                         "tokenizer.ggml.merges[0]: two tokens"},
        BadTokenizerKeys{
            "TokenNoUtf8",
            [](GgufBytes& g) {
              g.string("tokenizer.ggml.model", "gpt2").strings("tokenizer.ggml.tokens", {"\xFF"});
            },
            "tokenizer.ggml.tokens[0]: is not UTF-8"},
        BadTokenizerKeys{"TypesTooFew",
                         [](GgufBytes& g) {
                           g.string("tokenizer.ggml.model", "gpt2")
                               .strings("tokenizer.ggml.tokens", {"a"})
                               .key("tokenizer.ggml.token_type", 9,
                                    little<std::uint32_t>(5) + little<std::uint64_t>(0));
                         },
                         "tokenizer.ggml.token_type: 0 entries for 1 tokens"},
        BadTokenizerKeys{"NoBos",
                         [](GgufBytes& g) {
                           g.string("tokenizer.ggml.model", "gpt2")
                               .strings("tokenizer.ggml.tokens", {"a"})
                               .strings("tokenizer.ggml.merges", {})
                               .key("tokenizer.ggml.add_bos_token", 7, "\1");
                         },
                         "tokenizer.ggml.bos_token_id: is missing"}),
    [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace hone::rl
