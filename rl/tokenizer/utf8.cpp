#include "rl/tokenizer/utf8.h"

namespace hone::rl {
namespace {

struct Step {
  std::size_t size;              // bytes of the character, or of the ill-formed part
  enum { Good, Bad, Cut } kind;  // Cut: the bytes end inside a character that is good so far
};

// The table of well-formed sequences in the Unicode standard (3-7): the second byte's range depends
// on the first, which is what rules out overlong forms, surrogates and values above U+10FFFF.
Step step_at(std::string_view bytes, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const auto first = byte(at);
  if (first < 0x80) return {1, Step::Good};
  if (first < 0xC2 || first > 0xF4) return {1, Step::Bad};
  const std::size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  unsigned low = 0x80;
  unsigned high = 0xBF;
  if (first == 0xE0) low = 0xA0;
  if (first == 0xED) high = 0x9F;
  if (first == 0xF0) low = 0x90;
  if (first == 0xF4) high = 0x8F;
  for (std::size_t i = 1; i < length; ++i) {
    if (at + i == bytes.size()) return {i, Step::Cut};
    if (byte(at + i) < low || byte(at + i) > high) return {i, Step::Bad};
    low = 0x80;
    high = 0xBF;
  }
  return {length, Step::Good};
}

}  // namespace

bool valid_utf8(std::string_view bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const auto step = step_at(bytes, at);
    if (step.kind != Step::Good) return false;
    at += step.size;
  }
  return true;
}

void append_utf8(std::string& text, char32_t value) {
  const auto put = [&](char32_t byte) { text += static_cast<char>(byte); };
  if (value < 0x80) {
    put(value);
  } else if (value < 0x800) {
    put(0xC0 | (value >> 6));
    put(0x80 | (value & 0x3F));
  } else if (value < 0x10000) {
    put(0xE0 | (value >> 12));
    put(0x80 | ((value >> 6) & 0x3F));
    put(0x80 | (value & 0x3F));
  } else {
    put(0xF0 | (value >> 18));
    put(0x80 | ((value >> 12) & 0x3F));
    put(0x80 | ((value >> 6) & 0x3F));
    put(0x80 | (value & 0x3F));
  }
}

std::string lossy_utf8(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  for (std::size_t at = 0; at < bytes.size();) {
    const auto step = step_at(bytes, at);
    if (step.kind == Step::Good)
      text.append(bytes.substr(at, step.size));
    else
      text += "\xEF\xBF\xBD";
    at += step.size;
  }
  return text;
}

std::size_t incomplete_tail(std::string_view bytes) {
  // A character has at most 4 bytes, so a cut one begins in the last 3.
  for (std::size_t back = 1; back <= 3 && back <= bytes.size(); ++back) {
    const auto first = static_cast<unsigned char>(bytes[bytes.size() - back]);
    if ((first & 0xC0) == 0x80) continue;
    return step_at(bytes, bytes.size() - back).kind == Step::Cut ? back : 0;
  }
  return 0;
}

}  // namespace hone::rl
