#include "rl/tokenizer/unicode.h"

#include <vector>

namespace hone::rl {
namespace {

struct Range {
  char32_t first;
  char32_t last;
};
#include "rl/tokenizer/unicode_ranges.inc"

// One byte for each code point: 1.1 MB, filled in well under a millisecond, one load to ask.
std::vector<std::uint8_t> make_table() {
  std::vector<std::uint8_t> table(0x110000);
  const auto mark = [&](const auto& ranges, UnicodeClass which) {
    for (const auto& range : ranges)
      for (auto c = range.first; c <= range.last; ++c) table[c] |= which;
  };
  mark(kLetters, kLetter);
  mark(kNumbers, kNumber);
  mark(kSpaces, kSpace);
  mark(kDigits, kNumeric);
  return table;
}

}  // namespace

std::uint8_t unicode_class(char32_t value) {
  static const auto table = make_table();
  return value < table.size() ? table[value] : 0;
}

}  // namespace hone::rl
