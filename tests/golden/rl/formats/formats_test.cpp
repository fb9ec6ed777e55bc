// What we read against what `gguf`, transformers and peft read;
// tests/golden/make_formats_vectors.py made the vectors.
#include <ATen/ops/empty.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "rl/chat/chat_template.h"
#include "rl/formats/base.h"
#include "rl/formats/export.h"
#include "rl/formats/files.h"
#include "rl/formats/gguf.h"
#include "rl/tokenizer/tokenizer.h"

namespace hone::rl {
namespace {

namespace fs = std::filesystem;

const fs::path kFolder = fs::path(HONE_SOURCE_DIR) / "tests/golden/rl/formats";
const fs::path kBase = fs::path(HONE_SOURCE_DIR) / ".deps/bases/smollm2-135m-instruct.q4_1.gguf";

std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return bytes;
}

std::string bytes_of(const at::Tensor& tensor) {
  return {static_cast<const char*>(tensor.const_data_ptr()),
          static_cast<std::size_t>(tensor.nbytes())};
}

// "name 4,2 sha256" a weight, by name.
std::string tensor_lines(const Base& base) {
  auto infos = base.weights->tensors();
  std::ranges::sort(infos, {}, &TensorInfo::name);
  std::ostringstream lines;
  for (const auto& info : infos) {
    lines << info.name << ' ';
    for (std::size_t i = 0; i < info.shape.size(); ++i) lines << (i ? "," : "") << info.shape[i];
    lines << ' ' << sha256_of(bytes_of(base.weights->read_f32(info.name))) << '\n';
  }
  return lines.str();
}

TEST(GoldenFormats, EveryGgufTypeDequantisesToTheSameBits) {
  const auto vectors = nlohmann::json::parse(read_file(kFolder / "dequantise.json", 1 << 20));
  EXPECT_EQ(vectors.size(), 11u);
  for (std::uint32_t type = 0; type < 64; ++type) {
    const auto* layout = ggml_layout(type);
    if (layout == nullptr) continue;
    SCOPED_TRACE(layout->name);
    const auto& vector = vectors.at(std::string(layout->name));
    const auto in = from_hex(vector["in"].get<std::string>());
    const auto wanted = from_hex(vector["out"].get<std::string>());
    std::vector<float> out(wanted.size() / 4);
    ASSERT_EQ(in.size() / layout->block_bytes * layout->block_numbers, out.size());
    dequantise(static_cast<GgmlType>(type), reinterpret_cast<const std::uint8_t*>(in.data()),
               static_cast<std::int64_t>(out.size()), out.data());
    EXPECT_EQ(std::memcmp(out.data(), wanted.data(), wanted.size()), 0);
  }
}

TEST(GoldenFormats, EveryGgufTypeQuantisesToTheSameBytes) {
  const auto vectors = nlohmann::json::parse(read_file(kFolder / "quantise.json", 1 << 20));
  const auto in = from_hex(vectors.at("in").get<std::string>());
  std::vector<float> numbers(in.size() / 4);
  std::memcpy(numbers.data(), in.data(), in.size());
  for (std::uint32_t type = 0; type < 64; ++type) {
    const auto* layout = ggml_layout(type);
    if (layout == nullptr || !vectors.contains(layout->name)) continue;
    SCOPED_TRACE(layout->name);
    const auto wanted = from_hex(vectors[layout->name].get<std::string>());
    std::string out(wanted.size(), '\0');
    quantise(static_cast<GgmlType>(type), numbers.data(), static_cast<std::int64_t>(numbers.size()),
             reinterpret_cast<std::uint8_t*>(out.data()));
    EXPECT_EQ(out, wanted);
  }
}

TEST(GoldenFormats, TheGgufBaseHasTheWeightsThatTransformersReadsFromIt) {
  if (!fs::exists(kBase)) GTEST_SKIP() << "the base model is not there: scripts/setup fetches it";
  const auto base = open_base(kBase);
  EXPECT_EQ(tensor_lines(base), read_file(kFolder / "smollm2_tensors.txt", 1 << 20));
  EXPECT_TRUE(base.quantised);
  EXPECT_EQ(base.license, "apache-2.0");
}

TEST(GoldenFormats, TheGgufBaseHasTheShapeOfTheModel) {
  if (!fs::exists(kBase)) GTEST_SKIP() << "the base model is not there: scripts/setup fetches it";
  const auto config = open_base(kBase).config;
  EXPECT_EQ(config.vocab_size, 49152);
  EXPECT_EQ(config.hidden_size, 576);
  EXPECT_EQ(config.intermediate_size, 1536);
  EXPECT_EQ(config.num_hidden_layers, 30);
  EXPECT_EQ(config.num_attention_heads, 9);
  EXPECT_EQ(config.num_key_value_heads, 3);
  EXPECT_EQ(config.head_dim, 64);
  EXPECT_EQ(config.max_position_embeddings, 8192);
  EXPECT_EQ(config.rope_theta, 100000);
  EXPECT_EQ(config.rms_norm_eps, 1e-5);
  EXPECT_TRUE(config.tie_word_embeddings);
  EXPECT_EQ(config.bos_token_id, 1);
  EXPECT_EQ(config.eos_token_ids, std::vector<std::int64_t>{2});
}

class SavedByTransformers : public testing::TestWithParam<const char*> {};

TEST_P(SavedByTransformers, OpensWithItsWeightsShapeTokenizerAndTemplate) {
  const auto base = open_base(kFolder / GetParam());
  EXPECT_EQ(tensor_lines(base), read_file(kFolder / "tiny_tensors.txt", 1 << 20));
  EXPECT_EQ(base.config.head_dim, 6);
  EXPECT_EQ(base.config.rope_theta, 500000);
  EXPECT_EQ(base.config.rope_scaling.type, "llama3");
  EXPECT_EQ(base.config.rope_scaling.original_max_position_embeddings, 64);
  EXPECT_EQ(base.config.eos_token_ids, (std::vector<std::int64_t>{1, 3}));
  EXPECT_FALSE(base.config.tie_word_embeddings);
  EXPECT_EQ(base.tokenizer->id_of("<|eot_id|>"), 1);
  ASSERT_NE(base.chat, nullptr) << base.chat_problem;
  EXPECT_EQ(base.chat->render({{"user", " hi "}}, false), "<|begin_of_text|><|user|>hi<|eot_id|>");
}

INSTANTIATE_TEST_SUITE_P(OneFileAndShards, SavedByTransformers,
                         testing::Values("tiny", "tiny_sharded"),
                         [](const auto& test) { return std::string(test.param); });

TEST(GoldenFormats, AnAdapterSavedByPeftIsRead) {
  const auto base = open_base(kFolder / "tiny");
  const auto lora = read_peft(kFolder / "adapter", base.config);
  EXPECT_EQ(lora.rank, 4);
  EXPECT_EQ(lora.alpha, 6);
  EXPECT_TRUE(lora.rank_stabilised);
  ASSERT_EQ(lora.tensors.size(), 8u);  // A and B of two targets in two layers
  EXPECT_EQ(lora.tensors[0].first,
            "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight");
  EXPECT_EQ(lora.tensors[0].second.sizes().vec(), (std::vector<std::int64_t>{4, 24}));
}

}  // namespace
}  // namespace hone::rl
