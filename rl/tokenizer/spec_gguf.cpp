// A GGUF's tokenizer.ggml keys to a spec. The keys name a pre-tokenizer; what the name means is
// known here or the file is refused.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "feedback/base/error.h"
#include "rl/formats/gguf.h"
#include "rl/formats/json.h"
#include "rl/tokenizer/spec.h"

namespace hone::rl {
namespace {

using Steps = std::vector<PreTokenizerStep>;
using Kind = PreTokenizerStep::Kind;

constexpr std::size_t kTokensMax = 1 << 22;
constexpr std::int64_t kNormal = 1;
constexpr std::int64_t kUnknown = 2;
constexpr std::int64_t kControl = 3;
constexpr std::int64_t kUserDefined = 4;
constexpr std::int64_t kUnused = 5;
constexpr std::int64_t kByte = 6;

PreTokenizerStep byte_level(bool use_regex) {
  PreTokenizerStep step{.kind = Kind::ByteLevel};
  step.use_regex = use_regex;
  return step;
}

PreTokenizerStep split(std::string pattern) {
  PreTokenizerStep step{.kind = Kind::Split};
  step.pattern = std::move(pattern);
  return step;
}

const char* const kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
const char* const kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

struct Known {
  std::string_view name;
  bool nfc;
  bool ignore_merges;
  bool add_bos;  // when the file does not say
  Steps (*steps)();
};

// `smollm`: each digit alone, then GPT-2's pattern, as the model's own tokenizer.json has it.
// `default`: what llama.cpp does for a file that names none.
constexpr std::array kKnown = {
    Known{"smollm", false, false, false,
          +[] {
            return Steps{PreTokenizerStep{.kind = Kind::Digits}, byte_level(true)};
          }},
    Known{"gpt-2", false, false, false, +[] { return Steps{byte_level(true)}; }},
    Known{"llama-bpe", false, true, true,
          +[] {
            return Steps{split(kLlama3), byte_level(false)};
          }},
    Known{"qwen2", true, false, false,
          +[] {
            return Steps{split(kQwen2), byte_level(false)};
          }},
    Known{"default", false, false, false,
          +[] {
            return Steps{
                split(R"([\p{P}\$\+<=>\^~\|]+)"),
                split(R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S))"),
                split(R"(\p{N}+)"), split("[0-9][0-9][0-9]"), byte_level(false)};
          }},
};

const Known& known_pre_tokenizer(const GgufFile& file) {
  const std::string key = "tokenizer.ggml.pre";
  const auto name = file.text(key).value_or("default");
  const auto found = std::ranges::find(kKnown, name, &Known::name);
  if (found == kKnown.end())
    refuse(
        file.label(), key,
        fmt::format(
            "pre-tokenizer \"{}\" is not supported (smollm, gpt-2, llama-bpe, qwen2, default are)",
            name));
  return *found;
}

void read_vocabulary(const GgufFile& file, TokenizerSpec& spec) {
  const std::string key = "tokenizer.ggml.tokens";
  const auto tokens = file.texts(key);
  if (!tokens || tokens->empty()) refuse(file.label(), key, "is missing or empty");
  if (tokens->size() > kTokensMax)
    refuse(file.label(), key, fmt::format("{} tokens, more than {}", tokens->size(), kTokensMax));
  const auto types = file.integers("tokenizer.ggml.token_type")
                         .value_or(std::vector<std::int64_t>(tokens->size(), kNormal));
  if (types.size() != tokens->size())
    refuse(file.label(), "tokenizer.ggml.token_type",
           fmt::format("{} entries for {} tokens", types.size(), tokens->size()));

  spec.bpe.tokens.resize(tokens->size());
  for (std::size_t id = 0; id < tokens->size(); ++id) {
    const std::string text((*tokens)[id]);
    if (types[id] == kUnused) continue;
    if (types[id] < kNormal || types[id] > kByte)
      refuse(file.label(), fmt::format("tokenizer.ggml.token_type[{}]", id),
             fmt::format("{} is no token type", types[id]));
    if (text.empty()) refuse(file.label(), fmt::format("{}[{}]", key, id), "is empty");
    spec.bpe.tokens[id] = text;
    if (types[id] == kControl || types[id] == kUserDefined || types[id] == kUnknown)
      spec.added.push_back({.id = static_cast<std::int64_t>(id),
                            .content = text,
                            .special = types[id] != kUserDefined});
  }
}

void read_merges(const GgufFile& file, BpeSpec& bpe) {
  const std::string key = "tokenizer.ggml.merges";
  const auto merges = file.texts(key);
  if (!merges) refuse(file.label(), key, "is missing");
  bpe.merges.reserve(merges->size());
  for (std::size_t i = 0; i < merges->size(); ++i) {
    const auto merge = (*merges)[i];
    const auto space = merge.find(' ', 1);
    if (merge.empty() || space == std::string_view::npos || space + 1 == merge.size())
      refuse(file.label(), fmt::format("{}[{}]", key, i), "two tokens are wanted");
    bpe.merges.emplace_back(merge.substr(0, space), merge.substr(space + 1));
  }
}

PostToken read_edge_token(const GgufFile& file, const TokenizerSpec& spec,
                          const std::string& which) {
  const auto key = fmt::format("tokenizer.ggml.{}_token_id", which);
  const auto id = file.integer(key);
  if (!id)
    refuse(file.label(), key, fmt::format("is missing, and add_{}_token asks for it", which));
  if (*id < 0 || *id >= static_cast<std::int64_t>(spec.bpe.tokens.size()))
    refuse(file.label(), key, fmt::format("{} is no token", *id));
  return {*id, spec.bpe.tokens[static_cast<std::size_t>(*id)]};
}

}  // namespace

TokenizerSpec read_tokenizer_gguf(const GgufFile& file) {
  const std::string key = "tokenizer.ggml.model";
  const auto model = file.text(key);
  if (!model) refuse(file.label(), key, "is missing: the file has no tokenizer");
  if (*model != "gpt2")
    refuse(file.label(), key,
           fmt::format("tokenizer model \"{}\" is not supported (gpt2 is)", *model));
  const auto& known = known_pre_tokenizer(file);

  TokenizerSpec spec;
  read_vocabulary(file, spec);
  read_merges(file, spec.bpe);
  spec.bpe.ignore_merges = known.ignore_merges;
  if (known.nfc) spec.normalizers.push_back({NormalizerStep::Kind::Nfc, "", ""});
  spec.pre_tokenizers = known.steps();
  spec.decoders.push_back({.kind = DecoderStep::Kind::ByteLevel});

  const bool bos = file.boolean("tokenizer.ggml.add_bos_token").value_or(known.add_bos);
  const bool eos = file.boolean("tokenizer.ggml.add_eos_token").value_or(false);
  if (bos) spec.post.push_back(read_edge_token(file, spec, "bos"));
  if (bos || eos) spec.post.push_back({});
  if (eos) spec.post.push_back(read_edge_token(file, spec, "eos"));
  return spec;
}

}  // namespace hone::rl
