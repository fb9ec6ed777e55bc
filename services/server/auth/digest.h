// Hashes and encodings of secrets: what is stored is never what was given out.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace hone {
class Random;
}

namespace hone::server {

std::string sha256_hex(std::string_view text);
/// HMAC-SHA-256 as lower-case hex; the key has 32 bytes.
std::string hmac_hex(std::string_view key, std::string_view text);
/// Takes as long for a wrong text as for a right one of the same length.
bool same_secret(std::string_view a, std::string_view b);
/// `bytes` random bytes as URL-safe base64 without padding: what links and cookies carry.
std::string random_text(Random& random, std::size_t bytes);

}  // namespace hone::server
