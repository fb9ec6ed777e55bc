// A spec as a GGUF's tokenizer.ggml keys.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <set>

#include "feedback/base/error.h"
#include "rl/formats/gguf_write.h"
#include "rl/formats/json.h"
#include "rl/tokenizer/gguf_pre.h"
#include "rl/tokenizer/score_merges.h"
#include "rl/tokenizer/spec.h"

namespace hone::rl {
namespace {

const std::string kFile = "tokenizer";

bool is_byte_token(std::string_view token) {
  return token.size() == 6 && token.starts_with("<0x") && token.ends_with('>');
}

std::vector<std::int32_t> write_vocabulary(const TokenizerSpec& spec, std::int64_t rows,
                                           bool sentencepiece, GgufWriter& out) {
  std::vector<std::string> tokens = spec.bpe.tokens;
  tokens.resize(static_cast<std::size_t>(rows));
  std::vector<std::int32_t> types(tokens.size(), kGgufNormal);
  for (std::size_t id = 0; id < spec.bpe.tokens.size(); ++id)
    if (sentencepiece && is_byte_token(tokens[id])) types[id] = kGgufByte;
  for (const auto& token : spec.added) {
    if (token.content.empty()) continue;
    tokens[static_cast<std::size_t>(token.id)] = token.content;
    types[static_cast<std::size_t>(token.id)] = token.special ? kGgufControl : kGgufUserDefined;
  }
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    if (tokens[id].empty()) {
      tokens[id] = fmt::format("[PAD{}]", id);
      types[id] = kGgufUnused;
    } else if (sentencepiece && spec.bpe.unk_token == tokens[id]) {
      types[id] = kGgufUnknown;
    }
    if (spec.bpe.unk_token == tokens[id])
      out.set("tokenizer.ggml.unknown_token_id", static_cast<std::uint32_t>(id));
  }
  out.set("tokenizer.ggml.tokens", std::move(tokens));
  out.set("tokenizer.ggml.token_type", types);
  return types;
}

// llama.cpp joins any two neighbours whose joined text is a token. A model that was trained on
// fewer merges than that would be cut otherwise there: it is refused.
void write_scores(const BpeSpec& bpe, const std::vector<std::int32_t>& types, GgufWriter& out) {
  auto tokens = bpe.tokens;
  tokens.resize(types.size());
  const auto scores = scores_of_merges(tokens, bpe.merges);
  std::vector<bool> piece(types.size());
  std::transform(types.begin(), types.end(), piece.begin(),
                 [](auto type) { return type == kGgufNormal; });
  const auto again = merges_of_scores(tokens, piece, scores);
  if (std::set(again.begin(), again.end()) != std::set(bpe.merges.begin(), bpe.merges.end()))
    refuse(kFile, "model.merges",
           "are not those of a SentencePiece model, and llama.cpp knows no other without words");
  out.set("tokenizer.ggml.scores", std::vector<float>(scores.begin(), scores.end()));
}

/// Whether SentencePiece's space is put in front of a text. Invalid for any other way to begin.
bool space_prefix(const TokenizerSpec& spec) {
  using Kind = NormalizerStep::Kind;
  const NormalizerStep prepend{Kind::Prepend, "", kSentencePieceSpace};
  const NormalizerStep replace{Kind::Replace, " ", kSentencePieceSpace};
  const auto& steps = spec.normalizers;
  if (spec.pre_tokenizers.empty()) {
    if (steps == std::vector{prepend, replace}) return true;
    if (steps == std::vector{replace}) return false;
  }
  if (steps.empty() && spec.pre_tokenizers.size() == 1) {
    const auto& step = spec.pre_tokenizers[0];
    if (step.kind == PreTokenizerStep::Kind::Metaspace && step.replacement == kSentencePieceSpace)
      return step.prepend != PreTokenizerStep::Prepend::Never;
  }
  refuse(kFile, "normalizer", "GGUF has no words for this way to prepare text");
}

void write_sentencepiece(const TokenizerSpec& spec, std::int64_t rows, GgufWriter& out) {
  const bool prefix = space_prefix(spec);
  if (!spec.bpe.byte_fallback)
    refuse(kFile, "model.byte_fallback",
           "is off, and llama.cpp needs a token for each byte of such a tokenizer");
  out.set("tokenizer.ggml.model", std::string("llama"));
  out.set("tokenizer.ggml.pre", std::string("default"));
  write_scores(spec.bpe, write_vocabulary(spec, rows, true, out), out);
  out.set("tokenizer.ggml.add_space_prefix", prefix);
}

void write_byte_level(const TokenizerSpec& spec, std::int64_t rows, GgufWriter& out) {
  const auto* pre = gguf_pre_of(spec);
  if (pre == nullptr)
    refuse(kFile, "pre_tokenizer",
           fmt::format("llama.cpp has no name for this way to cut text (known are {})",
                       gguf_pre_names()));
  out.set("tokenizer.ggml.model", std::string("gpt2"));
  out.set("tokenizer.ggml.pre", std::string(pre->name));
  write_vocabulary(spec, rows, false, out);
  std::vector<std::string> merges;
  merges.reserve(spec.bpe.merges.size());
  for (const auto& [left, right] : spec.bpe.merges) merges.push_back(left + " " + right);
  out.set("tokenizer.ggml.merges", std::move(merges));
}

// One token before the text and one behind it, at most.
void write_edges(const std::vector<PostToken>& post, GgufWriter& out) {
  const auto text = std::ranges::find(post, -1, &PostToken::id);
  const auto before = text - post.begin();
  const auto behind = post.empty() ? 0 : post.end() - text - 1;
  if (before > 1 || behind > 1)
    refuse(kFile, "post_processor", "GGUF holds one token before a text and one behind it");
  out.set("tokenizer.ggml.add_bos_token", before == 1);
  out.set("tokenizer.ggml.add_eos_token", behind == 1);
  if (before == 1)
    out.set("tokenizer.ggml.bos_token_id", static_cast<std::uint32_t>(post.front().id));
  if (behind == 1)
    out.set("tokenizer.ggml.eos_token_id", static_cast<std::uint32_t>(post.back().id));
}

}  // namespace

void write_tokenizer_gguf(const TokenizerSpec& spec, std::int64_t rows, GgufWriter& out) {
  const bool byte_level = std::ranges::any_of(spec.pre_tokenizers, [](const auto& step) {
    return step.kind == PreTokenizerStep::Kind::ByteLevel;
  });
  if (byte_level)
    write_byte_level(spec, rows, out);
  else
    write_sentencepiece(spec, rows, out);
  write_edges(spec.post, out);
}

}  // namespace hone::rl
