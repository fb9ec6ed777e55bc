// Strict UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace hone::shared {

/// Offset of the first byte that is not part of a well-formed character; npos when all is well.
std::size_t find_bad_utf8(std::string_view text);

/// The text with each malformed byte replaced by U+FFFD; unchanged when there is none.
std::string repair_utf8(std::string_view text);

}  // namespace hone::shared
