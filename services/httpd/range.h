// The Range header (RFC 9110, one byte range) against a file's size.
#pragma once

#include <cstdint>
#include <string_view>

namespace hone::httpd {

struct Range {
  enum class Kind { Whole, Part, Unsatisfiable } kind = Kind::Whole;
  std::uint64_t first = 0;
  std::uint64_t count = 0;
};

/// Several ranges, another unit or bad syntax: the whole file, as the RFC allows.
Range parse_range(std::string_view header, std::uint64_t size);

}  // namespace hone::httpd
