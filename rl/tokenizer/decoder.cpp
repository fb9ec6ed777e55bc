#include "rl/tokenizer/decoder.h"

#include <cstdint>
#include <optional>
#include <string_view>

#include "rl/tokenizer/byte_level.h"
#include "rl/tokenizer/normalizer.h"
#include "rl/tokenizer/utf8.h"

namespace hone::rl {
namespace {

using Texts = std::vector<std::string>;
using Kind = DecoderStep::Kind;

std::string joined(const Texts& texts, std::string_view between = "") {
  std::string all;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (i > 0) all += between;
    all += texts[i];
  }
  return all;
}

std::optional<unsigned char> fallback_byte(const std::string& token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return std::nullopt;
  int value = 0;
  for (int i = 3; i < 5; ++i) {
    const char c = token[i];
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                             : -1;
    if (digit < 0) return std::nullopt;
    value = value * 16 + digit;
  }
  return static_cast<unsigned char>(value);
}

// Runs of <0xNN> are characters when they are UTF-8, else one U+FFFD a byte.
Texts byte_fallback(const Texts& tokens) {
  Texts out;
  std::string bytes;
  const auto flush = [&] {
    if (bytes.empty()) return;
    if (valid_utf8(bytes))
      out.push_back(bytes);
    else
      for (std::size_t i = 0; i < bytes.size(); ++i) out.emplace_back("\xEF\xBF\xBD");
    bytes.clear();
  };
  for (const auto& token : tokens) {
    if (const auto byte = fallback_byte(token)) {
      bytes += static_cast<char>(*byte);
    } else {
      flush();
      out.push_back(token);
    }
  }
  flush();
  return out;
}

std::string strip(const DecoderStep& step, std::string_view text) {
  for (std::int64_t i = 0; i < step.start && text.starts_with(step.from); ++i)
    text.remove_prefix(step.from.size());
  for (std::int64_t i = 0; i < step.stop && text.ends_with(step.from); ++i)
    text.remove_suffix(step.from.size());
  return std::string(text);
}

std::size_t size_of(const Texts& texts) {
  std::size_t size = 0;
  for (const auto& text : texts) size += text.size();
  return size;
}

// In front of the first token the replacement stands for nothing, however often; elsewhere for a
// space.
Texts metaspace(const DecoderStep& step, Texts tokens) {
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const bool cut = i == 0 && step.prepend != PreTokenizerStep::Prepend::Never;
    tokens[i] = replace_all(tokens[i], step.from, cut ? "" : " ", tokens[i].size());
  }
  return tokens;
}

Texts replaced(const DecoderStep& step, Texts tokens, std::size_t limit) {
  auto left = limit;  // for the tokens together
  for (auto& token : tokens) {
    token = replace_all(token, step.from, step.to, left);
    check_grown(token.size(), left);
    left -= token.size();
  }
  return tokens;
}

Texts apply(const DecoderStep& step, Texts tokens, std::size_t limit) {
  switch (step.kind) {
    case Kind::ByteLevel: {
      std::string bytes;
      for (const auto& token : tokens) bytes += byte_level_piece(token);
      return {lossy_utf8(bytes)};
    }
    case Kind::Fuse:
      return {joined(tokens)};
    case Kind::ByteFallback:
      return byte_fallback(tokens);
    case Kind::Metaspace:
      return metaspace(step, std::move(tokens));
    case Kind::Replace:
      return replaced(step, std::move(tokens), limit);
    case Kind::Strip:
      for (auto& token : tokens) token = strip(step, token);
      return tokens;
  }
  return tokens;
}

}  // namespace

std::string byte_level_piece(const std::string& token) {
  return byte_level_bytes(token).value_or(token);
}

std::string decode_tokens(const std::vector<DecoderStep>& steps, Texts tokens) {
  const auto limit = grown_max(size_of(tokens));
  for (const auto& step : steps) tokens = apply(step, std::move(tokens), limit);
  return joined(tokens, steps.empty() ? " " : "");
}

}  // namespace hone::rl
