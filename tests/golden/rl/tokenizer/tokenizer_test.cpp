// Token ids and text against those of the `tokenizers` package;
// tests/golden/make_tokenizer_vectors.py and make_infill_vectors.py made the vectors.
#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "feedback/base/error.h"
#include "rl/formats/files.h"
#include "rl/formats/gguf.h"
#include "rl/tokenizer/infill.h"
#include "rl/tokenizer/tokenizer.h"
#include "rl/tokenizer/utf8.h"

namespace hone::rl {
namespace {

namespace fs = std::filesystem;
using Ids = std::vector<std::int64_t>;
using nlohmann::json;

const fs::path kFolder = fs::path(HONE_SOURCE_DIR) / "tests/golden/rl/tokenizer";
const fs::path kBase = fs::path(HONE_SOURCE_DIR) / ".deps/bases/smollm2-135m-instruct.q4_1.gguf";

std::vector<json> rows_of(const std::string& name) {
  std::ifstream file(kFolder / (name + ".jsonl"));
  std::vector<json> rows;
  for (std::string line; std::getline(file, line);) rows.push_back(json::parse(line));
  return rows;
}

std::string streamed(const Tokenizer& tokenizer, const Ids& ids) {
  Tokenizer::Stream stream(tokenizer, false);
  std::string text;
  for (const auto id : ids) {
    const auto part = stream.push(id);
    EXPECT_TRUE(valid_utf8(part));
    text += part;
  }
  return text + stream.finish();
}

void expect_same(const Tokenizer& tokenizer, const std::string& name, std::size_t at_least) {
  const auto rows = rows_of(name);
  ASSERT_GE(rows.size(), at_least);
  for (const auto& row : rows) {
    const auto text = row["text"].get<std::string>();
    SCOPED_TRACE(row["text"].dump());
    const auto ids = row["ids"].get<Ids>();
    EXPECT_EQ(tokenizer.encode(text, false), ids);
    EXPECT_EQ(tokenizer.encode(text, true), row.value("whole", ids));
    const auto decoded = row.value("decoded", text);
    EXPECT_EQ(tokenizer.decode(ids, false), decoded);
    EXPECT_EQ(streamed(tokenizer, ids), decoded);
    EXPECT_EQ(tokenizer.decode(row.value("whole", ids), true), row.value("bare", decoded));
  }
}

std::shared_ptr<const Tokenizer> smollm2() { return Tokenizer::from_gguf(GgufFile(kBase)); }

TEST(GoldenTokenizer, SmolLM2FromItsGgufGivesTheIdsAndTextOfTheOracle) {
  if (!fs::exists(kBase)) GTEST_SKIP() << "the base model is not there: scripts/setup fetches it";
  expect_same(*smollm2(), "smollm2", 2000);
}

TEST(GoldenTokenizer, SmolLM2ThroughItsGeneratedTokenizerJsonIsTheSameTokenizer) {
  if (!fs::exists(kBase)) GTEST_SKIP() << "the base model is not there: scripts/setup fetches it";
  expect_same(*Tokenizer::from_json(smollm2()->to_json()), "smollm2", 2000);
}

TEST(GoldenTokenizer, SmolLM2AgreesOnEveryCodePoint) {
  if (!fs::exists(kBase)) GTEST_SKIP() << "the base model is not there: scripts/setup fetches it";
  const auto tokenizer = smollm2();
  std::ifstream file(kFolder / "smollm2_sweep.txt");
  char32_t block = 0;
  for (std::string wanted; std::getline(file, wanted); block += 4096) {
    std::string bytes;
    for (auto c = block; c < block + 4096; ++c) {
      if (c >= 0xD800 && c < 0xE000) continue;
      std::string character;
      append_utf8(character, c);
      const auto ids =
          tokenizer->encode("a" + character + "b " + character + "1" + character, false);
      bytes.append(reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof(ids[0]));
    }
    EXPECT_EQ(sha256_of(bytes).substr(0, 16), wanted)
        << "in the block that begins at " << static_cast<unsigned>(block);
  }
  EXPECT_EQ(block, char32_t{0x110000});
}

class TokenizerKind : public testing::TestWithParam<const char*> {};

TEST_P(TokenizerKind, GivesTheIdsAndTextOfTheOracleAlsoAfterBeingWrittenAgain) {
  const std::string name = GetParam();
  const auto tokenizer = Tokenizer::from_json(read_file(kFolder / (name + ".json"), 1 << 20));
  expect_same(*tokenizer, name, 100);
  expect_same(*Tokenizer::from_json(tokenizer->to_json()), name, 100);
}

INSTANTIATE_TEST_SUITE_P(EveryKind, TokenizerKind,
                         testing::Values("llama3_like", "qwen2_like", "gpt2_like", "llama2_like",
                                         "metaspace_like", "digits_like"),
                         [](const auto& test) { return std::string(test.param); });

TEST(GoldenTokenizer, InfillingPromptsAreThoseOfCodeLlamasClass) {
  const auto tokenizer =
      Tokenizer::from_json(read_file(kFolder / "code_llama_like.json", 100'000'000));
  const auto tokens = infill_tokens(*tokenizer);
  const auto rows = rows_of("code_llama_like");
  ASSERT_GE(rows.size(), 6U);
  for (const auto& row : rows) {
    SCOPED_TRACE(row.dump());
    const auto prefix = row["prefix"].get<std::string>(), suffix = row["suffix"].get<std::string>();
    EXPECT_EQ(infill_prompt(*tokenizer, tokens, prefix, suffix), row["ids"].get<Ids>());
    // A middle comes back as it was, with its first space or without.
    const auto middle = infill_middle(*tokenizer, tokens, suffix);
    EXPECT_EQ(middle.back(), tokens.end);
    EXPECT_EQ(infill_text(*tokenizer, tokens, middle), suffix);
  }
}

TEST(GoldenTokenizer, ABaseWithoutInfillingTokensRefusesByName) {
  const auto tokenizer = Tokenizer::from_json(read_file(kFolder / "llama2_like.json", 100'000'000));
  EXPECT_FALSE(find_infill_tokens(*tokenizer));
  try {
    infill_tokens(*tokenizer);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("<PRE>"), std::string::npos);
  }
}

}  // namespace
}  // namespace hone::rl
