// A whole GGUF file: every key asked for as every type, the shape, the weights, the tokenizer.
#include "rl/formats/gguf.h"

#include <array>
#include <cstdint>
#include <memory>

#include "rl/formats/gguf_model.h"
#include "rl/tokenizer/tokenizer.h"
#include "tests/fuzz/targets.h"

namespace hone::fuzz {
namespace {

constexpr std::int64_t kNumbersMax = 1 << 16;  // of a tensor that is read: time, not memory
constexpr std::int64_t kTokensMax = 1 << 12;

constexpr std::array kKeys = {
    "general.architecture",      "general.alignment",     "general.name",
    "tokenizer.chat_template",   "tokenizer.ggml.tokens", "tokenizer.ggml.scores",
    "tokenizer.ggml.token_type", "hone.eos_token_ids"};

void read_keys(const rl::GgufFile& file) {
  for (const auto* key : kKeys) {
    accepts([&] { file.integer(key); });
    accepts([&] { file.number(key); });
    accepts([&] { file.boolean(key); });
    accepts([&] { file.text(key); });
    accepts([&] { file.texts(key); });
    accepts([&] { file.integers(key); });
    accepts([&] { file.numbers(key); });
  }
}

std::int64_t numbers(const std::vector<std::int64_t>& shape) {
  std::int64_t count = 1;
  for (const auto side : shape) count *= side;
  return count;
}

void read_model(const std::shared_ptr<const rl::GgufFile>& file) {
  const auto config = rl::read_gguf_config(*file);
  rl::check_config(config);
  const rl::GgufWeights weights(file, config);
  for (const auto& info : weights.tensors())
    if (numbers(info.shape) <= kNumbersMax) accepts([&] { weights.read_f32(info.name); });
}

void read_tokenizer(const rl::GgufFile& file) {
  const auto tokenizer = rl::Tokenizer::from_gguf(file);
  if (tokenizer->size() > kTokensMax) return;
  const std::string text = "It's 12 o'clock,\n naïve <s> ▁x\t\xF0\x9F\x98\x80";
  std::shared_ptr<const rl::Tokenizer> again;
  promise(accepts([&] { again = rl::Tokenizer::from_json(tokenizer->to_json()); }),
          "tokenizer.json of a GGUF is read");
  accepts([&] {
    const auto ids = tokenizer->encode(text, true);
    tokenizer->decode(ids, false);
    promise(again->encode(text, true) == ids, "tokenizer.json of a GGUF gives the same ids");
  });
}

}  // namespace

void gguf(std::string_view bytes) {
  const auto path = put("model.gguf", bytes);
  accepts([&] {
    const auto file = std::make_shared<const rl::GgufFile>(path);
    read_keys(*file);
    rl::gguf_main_type(*file);
    for (const auto& tensor : file->tensors())
      if (numbers(tensor.shape) <= kNumbersMax) file->read_f32(tensor);
    accepts([&] { read_model(file); });
    accepts([&] { read_tokenizer(*file); });
  });
}

}  // namespace hone::fuzz
