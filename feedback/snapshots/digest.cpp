#include "feedback/snapshots/digest.h"

namespace hone::feedback {
namespace {

std::string big_endian(unsigned long long value) {
  std::string out(8, '\0');
  for (int i = 7; i >= 0; --i, value >>= 8)
    out[static_cast<std::size_t>(i)] = static_cast<char>(value & 0xFF);
  return out;
}

}  // namespace

std::string to_hex(const Digest& digest) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const unsigned char byte : digest) {
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

Framed& Framed::add(std::string_view field) {
  body_ += big_endian(field.size());
  body_ += field;
  ++fields_;
  return *this;
}

std::string Framed::bytes() const { return big_endian(fields_) + body_; }

}  // namespace hone::feedback
