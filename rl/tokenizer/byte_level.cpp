#include "rl/tokenizer/byte_level.h"

#include <array>

#include "rl/tokenizer/utf8.h"

namespace hone::rl {
namespace {

struct Alphabet {
  std::array<std::string, 256> characters;
  std::array<int, 0x144> bytes;  // by code point, -1 for none

  // Printable Latin-1 bytes stand for themselves, the other 68 for U+0100 upwards in order.
  Alphabet() {
    bytes.fill(-1);
    char32_t next = 0x100;
    for (int byte = 0; byte < 256; ++byte) {
      const bool printable =
          (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
      const auto value = printable ? static_cast<char32_t>(byte) : next++;
      append_utf8(characters[byte], value);
      bytes[value] = byte;
    }
  }
};

const Alphabet& alphabet() {
  static const Alphabet made;
  return made;
}

}  // namespace

const std::string& byte_level_character(std::uint8_t byte) { return alphabet().characters[byte]; }

std::optional<std::string> byte_level_bytes(std::string_view token) {
  std::string bytes;
  bytes.reserve(token.size());
  for (std::size_t at = 0; at < token.size();) {
    const auto [value, size] = code_point_at(token, at);
    if (value >= alphabet().bytes.size() || alphabet().bytes[value] < 0) return std::nullopt;
    bytes += static_cast<char>(alphabet().bytes[value]);
    at += size;
  }
  return bytes;
}

}  // namespace hone::rl
