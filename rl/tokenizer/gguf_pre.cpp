#include "rl/tokenizer/gguf_pre.h"

#include <algorithm>
#include <array>

namespace hone::rl {
namespace {

using Steps = std::vector<PreTokenizerStep>;
using Kind = PreTokenizerStep::Kind;

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

const char* const kTekken =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// `smollm`: each digit alone, then GPT-2's pattern, as the model's own tokenizer.json has it.
// `default`: what llama.cpp does for a file that names none.
constexpr std::array kKnown = {
    GgufPre{"smollm", false, false, false,
            +[] {
              return Steps{PreTokenizerStep{.kind = Kind::Digits}, byte_level(true)};
            }},
    GgufPre{"gpt-2", false, false, false, +[] { return Steps{byte_level(true)}; }},
    GgufPre{"llama-bpe", false, true, true,
            +[] {
              return Steps{split(kLlama3), byte_level(false)};
            }},
    GgufPre{"qwen2", true, false, false,
            +[] {
              return Steps{split(kQwen2), byte_level(false)};
            }},
    // Mistral's, since Nemo.
    GgufPre{"tekken", false, true, true,
            +[] {
              return Steps{split(kTekken), byte_level(false)};
            }},
    GgufPre{
        "default", false, false, false,
        +[] {
          return Steps{
              split(R"([\p{P}\$\+<=>\^~\|]+)"),
              split(R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S))"),
              split(R"(\p{N}+)"), split("[0-9][0-9][0-9]"), byte_level(false)};
        }},
};

}  // namespace

const GgufPre* find_gguf_pre(std::string_view name) {
  const auto* found = std::ranges::find(kKnown, name, &GgufPre::name);
  return found == kKnown.end() ? nullptr : found;
}

const GgufPre* gguf_pre_of(const TokenizerSpec& spec) {
  std::vector<NormalizerStep> nfc = {{NormalizerStep::Kind::Nfc}};
  const auto* found = std::ranges::find_if(kKnown, [&](const GgufPre& pre) {
    return pre.ignore_merges == spec.bpe.ignore_merges && pre.steps() == spec.pre_tokenizers &&
           spec.normalizers == (pre.nfc ? nfc : std::vector<NormalizerStep>{});
  });
  return found == kKnown.end() ? nullptr : found;
}

std::string gguf_pre_names() {
  std::string names;
  for (const auto& pre : kKnown) names += (names.empty() ? "" : ", ") + std::string(pre.name);
  return names;
}

}  // namespace hone::rl
