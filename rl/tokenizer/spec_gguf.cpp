// A GGUF's tokenizer.ggml keys to a spec. The keys name a pre-tokenizer; what the name means is
// known here or the file is refused.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "feedback/base/error.h"
#include "rl/formats/gguf.h"
#include "rl/formats/json.h"
#include "rl/tokenizer/gguf_pre.h"
#include "rl/tokenizer/score_merges.h"
#include "rl/tokenizer/spec.h"

namespace hone::rl {
namespace {

constexpr std::size_t kTokensMax = 1 << 22;
constexpr std::size_t kPieceMax = 4096;  // every way to cut it in two is looked up

const GgufPre& known_pre_tokenizer(const GgufFile& file) {
  const std::string key = "tokenizer.ggml.pre";
  const auto name = file.text(key).value_or("default");
  const auto* found = find_gguf_pre(name);
  if (found == nullptr)
    refuse(file.label(), key,
           fmt::format("pre-tokenizer \"{}\" is not supported ({} are)", name, gguf_pre_names()));
  return *found;
}

std::vector<std::int64_t> read_types(const GgufFile& file, std::size_t tokens) {
  const std::string key = "tokenizer.ggml.token_type";
  auto types = file.integers(key).value_or(std::vector<std::int64_t>(tokens, kGgufNormal));
  if (types.size() != tokens)
    refuse(file.label(), key, fmt::format("{} entries for {} tokens", types.size(), tokens));
  return types;
}

void read_vocabulary(const GgufFile& file, TokenizerSpec& spec) {
  const std::string key = "tokenizer.ggml.tokens";
  const auto tokens = file.texts(key);
  if (!tokens || tokens->empty()) refuse(file.label(), key, "is missing or empty");
  if (tokens->size() > kTokensMax)
    refuse(file.label(), key, fmt::format("{} tokens, more than {}", tokens->size(), kTokensMax));
  const auto types = read_types(file, tokens->size());

  spec.bpe.tokens.resize(tokens->size());
  for (std::size_t id = 0; id < tokens->size(); ++id) {
    const std::string text((*tokens)[id]);
    if (types[id] == kGgufUnused) continue;
    if (types[id] < kGgufNormal || types[id] > kGgufByte)
      refuse(file.label(), fmt::format("tokenizer.ggml.token_type[{}]", id),
             fmt::format("{} is no token type", types[id]));
    if (text.empty()) refuse(file.label(), fmt::format("{}[{}]", key, id), "is empty");
    spec.bpe.tokens[id] = text;
    if (types[id] == kGgufControl || types[id] == kGgufUserDefined || types[id] == kGgufUnknown)
      spec.added.push_back({.id = static_cast<std::int64_t>(id),
                            .content = text,
                            .special = types[id] != kGgufUserDefined});
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
  if (!id) refuse(file.label(), key, "is missing, and the file asks for it");
  if (*id < 0 || *id >= static_cast<std::int64_t>(spec.bpe.tokens.size()))
    refuse(file.label(), key, fmt::format("{} is no token", *id));
  const auto& text = spec.bpe.tokens[static_cast<std::size_t>(*id)];
  if (text.empty()) refuse(file.label(), key, fmt::format("{} is an unused token", *id));
  return {*id, text};
}

void read_scores(const GgufFile& file, const std::vector<std::int64_t>& types, BpeSpec& bpe) {
  const std::string key = "tokenizer.ggml.scores";
  const auto scores = file.numbers(key);
  if (!scores) refuse(file.label(), key, "is missing");
  if (scores->size() != bpe.tokens.size())
    refuse(file.label(), key,
           fmt::format("{} entries for {} tokens", scores->size(), bpe.tokens.size()));
  std::vector<bool> piece(types.size());
  std::transform(types.begin(), types.end(), piece.begin(),
                 [](auto type) { return type == kGgufNormal; });
  double low = INFINITY, high = -INFINITY;
  for (std::size_t id = 0; id < scores->size(); ++id) {
    if (!piece[id]) continue;
    if (bpe.tokens[id].size() > kPieceMax)
      refuse(file.label(), fmt::format("tokenizer.ggml.tokens[{}]", id),
             fmt::format("{} bytes, more than {}", bpe.tokens[id].size(), kPieceMax));
    low = std::min(low, (*scores)[id]);
    high = std::max(high, (*scores)[id]);
  }
  bpe.merges = merges_of_scores(bpe.tokens, piece, *scores);
  if (bpe.merges.size() > 1 && low == high)
    refuse(file.label(), key,
           "are all equal: whoever wrote the file lost the order of merges; take the model's own "
           "files");
}

// Llama 2's kind: no cutting into words, spaces written as U+2581, one put in front, and bytes for
// what has no token.
TokenizerSpec read_sentencepiece(const GgufFile& file) {
  TokenizerSpec spec;
  read_vocabulary(file, spec);
  const auto types = read_types(file, spec.bpe.tokens.size());
  read_scores(file, types, spec.bpe);
  spec.bpe.fuse_unk = true;
  spec.bpe.byte_fallback = std::ranges::find(types, kGgufByte) != types.end();
  if (const auto unknown = file.integer("tokenizer.ggml.unknown_token_id"))
    spec.bpe.unk_token = read_edge_token(file, spec, "unknown").content;

  const std::string extra = "tokenizer.ggml.remove_extra_whitespaces";
  if (file.boolean(extra).value_or(false)) refuse(file.label(), extra, "is not supported");
  const bool prefix = file.boolean("tokenizer.ggml.add_space_prefix").value_or(true);
  if (prefix) spec.normalizers.push_back({NormalizerStep::Kind::Prepend, "", kSentencePieceSpace});
  spec.normalizers.push_back({NormalizerStep::Kind::Replace, " ", kSentencePieceSpace});
  using Decode = DecoderStep::Kind;
  spec.decoders = {{.kind = Decode::Replace, .from = kSentencePieceSpace, .to = " "},
                   {.kind = Decode::ByteFallback},
                   {.kind = Decode::Fuse}};
  if (prefix) spec.decoders.push_back({.kind = Decode::Strip, .from = " ", .start = 1});
  return spec;
}

TokenizerSpec read_byte_level(const GgufFile& file, const GgufPre& known) {
  TokenizerSpec spec;
  read_vocabulary(file, spec);
  read_merges(file, spec.bpe);
  spec.bpe.ignore_merges = known.ignore_merges;
  if (known.nfc) spec.normalizers.push_back({NormalizerStep::Kind::Nfc, "", ""});
  spec.pre_tokenizers = known.steps();
  spec.decoders.push_back({.kind = DecoderStep::Kind::ByteLevel});
  return spec;
}

}  // namespace

TokenizerSpec read_tokenizer_gguf(const GgufFile& file) {
  const std::string key = "tokenizer.ggml.model";
  const auto model = file.text(key);
  if (!model) refuse(file.label(), key, "is missing: the file has no tokenizer");
  if (*model != "gpt2" && *model != "llama")
    refuse(file.label(), key,
           fmt::format("tokenizer model \"{}\" is not supported (gpt2 and llama are)", *model));
  const auto* known = *model == "gpt2" ? &known_pre_tokenizer(file) : nullptr;
  auto spec = known != nullptr ? read_byte_level(file, *known) : read_sentencepiece(file);

  const bool bos_by_default = known == nullptr || known->add_bos;
  const bool bos = file.boolean("tokenizer.ggml.add_bos_token").value_or(bos_by_default);
  const bool eos = file.boolean("tokenizer.ggml.add_eos_token").value_or(false);
  if (bos) spec.post.push_back(read_edge_token(file, spec, "bos"));
  if (bos || eos) spec.post.push_back({});
  if (eos) spec.post.push_back(read_edge_token(file, spec, "eos"));
  return spec;
}

}  // namespace hone::rl
