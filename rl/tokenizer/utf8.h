// UTF-8: checking, walking, writing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hone::rl {

/// True when the bytes are well-formed UTF-8 (no surrogates, no overlong forms).
bool valid_utf8(std::string_view bytes);

/// The code point at `at`, and its length in bytes; `text` must be valid and `at` on a character.
struct CodePoint {
  char32_t value;
  std::uint32_t size;
};
inline CodePoint code_point_at(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return static_cast<char32_t>(static_cast<unsigned char>(text[at + i]));
  };
  const auto first = byte(0);
  if (first < 0x80) return {first, 1};
  if (first < 0xE0) return {((first & 0x1F) << 6) | (byte(1) & 0x3F), 2};
  if (first < 0xF0) return {((first & 0x0F) << 12) | ((byte(1) & 0x3F) << 6) | (byte(2) & 0x3F), 3};
  return {((first & 0x07) << 18) | ((byte(1) & 0x3F) << 12) | ((byte(2) & 0x3F) << 6) |
              (byte(3) & 0x3F),
          4};
}

void append_utf8(std::string& text, char32_t value);

/// The bytes with every ill-formed part as U+FFFD, one for each maximal subpart (as browsers and
/// the `tokenizers` package do it).
std::string lossy_utf8(std::string_view bytes);

/// How many bytes at the end are the beginning of a character that later bytes may complete (0 to
/// 3).
std::size_t incomplete_tail(std::string_view bytes);

}  // namespace hone::rl
