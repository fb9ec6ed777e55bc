#include "feedback/critics/measures.h"

#include <algorithm>

namespace hone::feedback {
namespace {

/// The scalar value at `at`, which moves past it. A malformed byte is its own value, 0xDC80-0xDCFF:
/// no real character has that one.
char32_t next_scalar(std::string_view text, std::size_t& at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(at);
  const std::size_t length = first < 0x80         ? 1
                             : (first >> 5) == 6  ? 2
                             : (first >> 4) == 14 ? 3
                             : (first >> 3) == 30 ? 4
                                                  : 0;
  if (length == 0 || at + length > text.size()) return 0xDC00 + byte(at++);
  char32_t value = length == 1 ? first : first & (0x7F >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xC0) != 0x80) return 0xDC00 + byte(at++);
    value = (value << 6) | (byte(at + i) & 0x3F);
  }
  at += length;
  return value;
}

bool is_space(char32_t c) {
  return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

bool is_wide_stop(char32_t c) { return c == 0x3002 || c == 0xFF01 || c == 0xFF1F || c == 0xFF61; }

bool is_stop(char32_t c) {
  return c == '.' || c == '!' || c == '?' || c == 0x2026 || c == 0x061F || c == 0x06D4 ||
         c == 0x0964 || c == 0x0965 || is_wide_stop(c);
}

bool is_closing(char32_t c) {
  return c == '"' || c == '\'' || c == ')' || c == ']' || c == '*' || c == '_' || c == 0x2019 ||
         c == 0x201D || c == 0xBB || c == 0x300D || c == 0x300F;
}

}  // namespace

std::int64_t count_characters(std::string_view text) {
  std::int64_t count = 0;
  for (std::size_t at = 0; at < text.size(); ++count) next_scalar(text, at);
  return count;
}

std::int64_t count_words(std::string_view text) {
  std::int64_t count = 0;
  bool inside = false;
  for (std::size_t at = 0; at < text.size();) {
    const bool space = is_space(next_scalar(text, at));
    if (!space && !inside) ++count;
    inside = !space;
  }
  return count;
}

std::int64_t count_sentences(std::string_view text) {
  std::int64_t count = 0;
  bool words_since = false;  // something other than stops and spaces since the last end
  bool stopped = false;      // the run of stops just read, with its closing marks
  for (std::size_t at = 0; at < text.size();) {
    const char32_t c = next_scalar(text, at);
    if (is_space(c)) {
      if (stopped && words_since) {
        ++count;
        words_since = false;
      }
      stopped = false;
    } else if (is_stop(c)) {
      stopped = true;
      if (is_wide_stop(c) && words_since) {
        ++count;
        words_since = false;
      }
    } else if (!(stopped && is_closing(c))) {
      stopped = false;
      words_since = words_since || !is_closing(c);
    }
  }
  return count + (words_since ? 1 : 0);
}

double within_maximum(std::int64_t count, std::int64_t bound) {
  if (count <= bound) return 1;
  if (bound <= 0) return 0;
  return std::max(0.0, 1 - static_cast<double>(count - bound) / static_cast<double>(bound));
}

double within_minimum(std::int64_t count, std::int64_t bound) {
  if (count >= bound) return 1;
  return static_cast<double>(count) / static_cast<double>(bound);
}

}  // namespace hone::feedback
