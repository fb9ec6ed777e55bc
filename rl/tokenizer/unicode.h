// Classes of code points as the `tokenizers` package has them, from a table of its own answers.
#pragma once

#include <cstdint>

namespace hone::rl {

enum UnicodeClass : std::uint8_t {
  kLetter = 1,   ///< \p{L} of a pattern
  kNumber = 2,   ///< \p{N} of a pattern
  kSpace = 4,    ///< \s of a pattern
  kNumeric = 8,  ///< what the Digits pre-tokenizer cuts out (a later Unicode version than kNumber)
};

/// The classes of a code point, or'ed.
std::uint8_t unicode_class(char32_t value);

}  // namespace hone::rl
