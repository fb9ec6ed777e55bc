// SHA-256 as the rules of snapshots see it: a value and a function that is passed in.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <string_view>

namespace hone::feedback {

using Digest = std::array<unsigned char, 32>;
using Sha256 = std::function<Digest(std::string_view bytes)>;

/// 64 lowercase hexadecimal digits.
std::string to_hex(const Digest& digest);

/// Joins fields so that no two different lists give the same bytes: each field is preceded by its
/// length in bytes, 8 bytes big-endian, and the list by its number of fields in the same way.
class Framed {
 public:
  Framed& add(std::string_view field);
  std::string bytes() const;

 private:
  std::string body_;
  unsigned long long fields_ = 0;
};

}  // namespace hone::feedback
