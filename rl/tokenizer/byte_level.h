// GPT-2's alphabet for bytes: each of the 256 as one printable character, so that a vocabulary of
// bytes can be written as text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hone::rl {

/// The character that stands for a byte.
const std::string& byte_level_character(std::uint8_t byte);

/// The bytes that a token of such a vocabulary stands for; nullopt when a character of it is
/// outside the alphabet (the token was added as plain text).
std::optional<std::string> byte_level_bytes(std::string_view token);

}  // namespace hone::rl
