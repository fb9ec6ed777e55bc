#include "services/shared/token.h"

#include <array>
#include <cstdint>

namespace hone::shared {

namespace {

constexpr std::string_view kDigits =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::size_t kRandomDigits = 30;
constexpr std::size_t kCheckDigits = 6;  // 62^6 > 2^32

std::uint32_t crc32(std::string_view text) {
  std::uint32_t crc = 0xFFFFFFFF;
  for (const char c : text) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xEDB88320U & (0U - (crc & 1U)));
  }
  return ~crc;
}

std::string check_digits(std::string_view text) {
  std::string digits(kCheckDigits, '0');
  auto left = crc32(text);
  for (auto at = digits.rbegin(); at != digits.rend(); ++at, left /= 62) *at = kDigits[left % 62];
  return digits;
}

}  // namespace

std::string new_token(std::string_view kind, Random& random) {
  std::string token = "hone_" + std::string(kind) + "_";
  const auto wanted = token.size() + kRandomDigits;
  while (token.size() < wanted) {
    std::array<unsigned char, 64> bytes{};
    random.fill(bytes.data(), bytes.size());
    // 248 = 4 * 62: what lies above would make the first digits likelier.
    for (const auto byte : bytes)
      if (byte < 248 && token.size() < wanted) token += kDigits[byte % 62];
  }
  return token + check_digits(token);
}

bool is_token(std::string_view kind, std::string_view text) {
  const std::string start = "hone_" + std::string(kind) + "_";
  if (!text.starts_with(start) || text.size() != start.size() + kRandomDigits + kCheckDigits)
    return false;
  if (text.find_first_not_of(kDigits, start.size()) != std::string_view::npos) return false;
  return check_digits(text.substr(0, text.size() - kCheckDigits)) ==
         text.substr(text.size() - kCheckDigits);
}

}  // namespace hone::shared
