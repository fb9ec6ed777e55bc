#include "rl/formats/gguf_write.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <random>

#include "rl/formats/base.h"
#include "rl/formats/export.h"
#include "rl/formats/files.h"
#include "rl/formats/gguf_export.h"
#include "rl/formats/safetensors.h"
#include "rl/random/philox.h"
#include "rl/tokenizer/score_merges.h"
#include "rl/tokenizer/spec.h"
#include "rl/tokenizer/tokenizer.h"
#include "tests/unit/rl/formats/support.h"

namespace hone::rl {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const fs::path kGolden = fs::path(HONE_SOURCE_DIR) / "tests/golden/rl";
constexpr ModelCard kNoCard{};

/// Roughly normal numbers, the same with every library.
std::vector<float> numbers(std::size_t count) {
  std::mt19937 random(3);
  std::vector<float> out(count);
  for (auto& x : out) {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += static_cast<double>(random()) / 4294967296.0;
    x = static_cast<float>(sum);
  }
  return out;
}

/// Root mean square of what a type loses of standard normal numbers.
double loss(GgmlType type) {
  const auto in = numbers(256 * 64);
  const auto* layout = ggml_layout(static_cast<std::uint32_t>(type));
  const auto count = static_cast<std::int64_t>(in.size());
  std::vector<std::uint8_t> bytes(
      static_cast<std::size_t>(count / layout->block_numbers * layout->block_bytes));
  quantise(type, in.data(), count, bytes.data());
  std::vector<float> out(in.size());
  dequantise(type, bytes.data(), count, out.data());
  double sum = 0;
  for (std::size_t i = 0; i < in.size(); ++i) sum += std::pow(out[i] - in[i], 2);
  return std::sqrt(sum / static_cast<double>(in.size()));
}

TEST(GgufWrite, EveryTypeComesBackAsNearAsItsBitsAllow) {
  EXPECT_EQ(loss(GgmlType::F32), 0);
  EXPECT_LT(loss(GgmlType::F16), 3e-4);
  EXPECT_LT(loss(GgmlType::BF16), 3e-3);
  EXPECT_LT(loss(GgmlType::Q8_0), 7e-3);
  EXPECT_LT(loss(GgmlType::Q5_0), 0.05);
  EXPECT_LT(loss(GgmlType::Q4_0), 0.1);
  // A minimum for each run of 32 is what the 256-number block is for.
  EXPECT_LT(loss(GgmlType::Q4_K), 0.85 * loss(GgmlType::Q4_0));
}

TEST(GgufWrite, BlocksOfOneValueComeBackAsTheyWere) {
  for (const float value : {0.0f, 0.5f, -0.5f}) {
    const std::vector<float> in(256, value);
    std::vector<std::uint8_t> bytes(144);
    std::vector<float> out(256);
    quantise(GgmlType::Q4_K, in.data(), 256, bytes.data());
    dequantise(GgmlType::Q4_K, bytes.data(), 256, out.data());
    for (const float x : out) EXPECT_NEAR(x, value, 2e-3);
  }
}

TEST(GgufWrite, KeysAndTensorsComeBack) {
  const Folder folder;
  GgufWriter out;
  out.set("general.architecture", std::string("none"));
  out.set("a.number", std::uint32_t{7});
  out.set("a.number", std::uint32_t{8});
  out.set("a.flag", true);
  out.set("a.real", 1e-5f);
  out.set("texts", std::vector<std::string>{"", "é", "longer than eight bytes"});
  out.set("integers", std::vector<std::int32_t>{-1, 2});
  out.set("reals", std::vector<float>{-0.5f, 3});
  const auto values = at::full({3, 5}, 2.5);
  out.add("odd", {3, 5}, GgmlType::F16, [&] { return values.to(at::kFloat); });
  out.add("vector", {2}, GgmlType::F32, [] { return at::zeros({2}); });
  std::int64_t told = 0;
  out.write(folder.path / "x.gguf", [&](std::int64_t done, std::int64_t total) {
    told = done;
    EXPECT_EQ(total, 17);
  });
  EXPECT_EQ(told, 17);
  const GgufFile file(folder.path / "x.gguf");
  EXPECT_EQ(file.integer("a.number"), 8);
  EXPECT_EQ(file.boolean("a.flag"), true);
  EXPECT_EQ(file.number("a.real"), 1e-5);
  EXPECT_THAT(*file.texts("texts"), testing::ElementsAre("", "é", "longer than eight bytes"));
  EXPECT_THAT(*file.integers("integers"), testing::ElementsAre(-1, 2));
  EXPECT_THAT(*file.numbers("reals"), testing::ElementsAre(-0.5, 3));
  EXPECT_TRUE(at::equal(file.read_f32(*file.find("odd")), values.to(at::kFloat)));
}

TEST(GgufWrite, RefusesWhatATypeCannotHoldAndLeavesNothing) {
  const Folder folder;
  const auto write = [&](GgmlType type, std::int64_t columns, double value) {
    return refusal([&] {
      GgufWriter out;
      out.add("w", {1, columns}, type, [&] { return at::full({1, columns}, value, at::kFloat); });
      out.write(folder.path / "x.gguf");
    });
  };
  EXPECT_THAT(write(GgmlType::F16, 4, 70000), HasSubstr("does not"));
  EXPECT_THAT(write(GgmlType::Q8_0, 32, std::nan("")), HasSubstr("does not"));
  EXPECT_THAT(write(GgmlType::F32, 4, std::numeric_limits<double>::infinity()),
              HasSubstr("does not"));
  EXPECT_THAT(write(GgmlType::Q8_0, 33, 0), HasSubstr("cannot be written as Q8_0"));
  EXPECT_THAT(write(GgmlType::Q6_K, 256, 0), HasSubstr("cannot be written as Q6_K"));
  EXPECT_TRUE(fs::is_empty(folder.path));
}

TEST(GgufExport, RefusesATokenizerThatGgufHasNoWordsFor) {
  const Folder folder;
  auto base = open_base(kGolden / "formats/tiny");
  const auto said = [&](TokenizerSpec spec) {
    base.tokenizer = std::make_shared<const Tokenizer>(std::move(spec));
    base.config.vocab_size = base.tokenizer->size();
    return refusal(
        [&] { export_gguf(folder.path / "x.gguf", base, *base.weights, GgmlType::F32, kNoCard); });
  };
  const auto spec_of = [](const std::string& name) {
    return read_tokenizer_json(read_file(kGolden / "tokenizer" / (name + ".json"), 1 << 24));
  };
  EXPECT_THAT(said(spec_of("gpt2_like")), HasSubstr("llama.cpp has no name for this way to cut"));
  EXPECT_THAT(said(spec_of("digits_like")), HasSubstr("no words for this way to prepare text"));
  EXPECT_THAT(said(spec_of("metaspace_like")), HasSubstr("needs a token for each byte"));
  // A token that llama.cpp would make of two others and this model never does.
  auto spec = spec_of("llama2_like");
  spec.bpe.tokens.push_back(spec.bpe.tokens[300] + spec.bpe.tokens[301]);
  EXPECT_THAT(said(spec), HasSubstr("are not those of a SentencePiece model"));
  EXPECT_TRUE(fs::is_empty(folder.path));
}

TEST(ScoreMerges, AreTheMergesThatMadeTheScores) {
  const std::vector<std::string> tokens = {"a", "b", "ab", "ba", "aba", "é", "éa", ""};
  const std::vector<bool> all(tokens.size(), true);
  // ab before ba before aba, which can be cut in two ways; the longer left half goes first.
  const Merges merges = {{"a", "b"}, {"b", "a"}, {"ab", "a"}, {"a", "ba"}, {"é", "a"}};
  EXPECT_EQ(merges_of_scores(tokens, all, scores_of_merges(tokens, merges)), merges);
  auto without = all;
  without[3] = false;  // "ba" is no piece: neither made nor used
  const Merges fewer = {{"a", "b"}, {"ab", "a"}, {"é", "a"}};
  EXPECT_EQ(merges_of_scores(tokens, without, scores_of_merges(tokens, merges)), fewer);
}

TEST(ExportHf, WritesShardsUnderAnIndexAboveTheirSize) {
  const Folder folder;
  std::vector<TensorPlan> plans;
  for (int i = 0; i < 5; ++i)
    plans.push_back({"t" + std::to_string(i), {2, 8}, at::kFloat, [i] {
                       return at::full({2, 8}, i, at::kFloat);
                     }});
  write_sharded_safetensors(folder.path, plans, 2 * 64);  // two tensors of 64 bytes a file
  const ShardedSafetensors shards(folder.path / "model.safetensors.index.json");
  EXPECT_EQ(shards.tensors().size(), 5u);
  EXPECT_TRUE(fs::exists(folder.path / "model-00003-of-00003.safetensors"));
  EXPECT_EQ(shards.read_f32("t4")[1][7].item<float>(), 4);
  EXPECT_FALSE(fs::exists(folder.path / "model.safetensors"));
}

}  // namespace
}  // namespace hone::rl
